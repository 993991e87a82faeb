# args: --single-run -c
# Threads hand coroutines to the loop of global_setup, before and during the run.
import asyncio
import os
import threading
import warnings
from molotov import scenario, global_setup

warnings.simplefilter("ignore")
TARGET = os.environ["TARGET"]
KEPT = {}

def hand_in(coroutine, results):
    results.append(asyncio.run_coroutine_threadsafe(coroutine, KEPT["loop"]).result(10))

async def in_a_thread(coroutine):
    results = []
    thread = threading.Thread(target=hand_in, args=(coroutine, results))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.01)
    return results

@global_setup()
def init(args):
    KEPT["loop"] = asyncio.get_event_loop()
    print("SEEN global_setup", KEPT["loop"].run_until_complete(in_a_thread(asyncio.sleep(0.01, "slept"))))

@scenario()
async def one(session):
    async def fetch():
        async with session.get(TARGET) as response:
            return (await response.json())["result"], threading.current_thread() is threading.main_thread()
    print("SEEN", await in_a_thread(fetch()), asyncio.get_running_loop() is KEPT["loop"])
