# args: --single-run -w 2 -c
# unordered: seen requests
# nest_asyncio: coroutines that are run to their end inside running ones.
import asyncio
import os
import warnings
import nest_asyncio
from molotov import scenario, global_setup, setup, setup_session

warnings.simplefilter("ignore")
nest_asyncio.apply()

async def fetch(session, name):
    async with session.get(os.environ["TARGET"] + "/?" + name) as response:
        await asyncio.sleep(0.01)
        return (await response.json())["result"]

def run(coroutine):
    return asyncio.get_event_loop().run_until_complete(coroutine)

@global_setup()
def init(args):
    print("SEEN", run(asyncio.sleep(0.01, "global_setup")))

@setup()
async def begin(wid, args):
    print("SEEN", run(asyncio.sleep(0.01, "setup")))

@setup_session()
async def login(wid, session):
    print("SEEN login", run(fetch(session, "login")))

@scenario()
async def one(session):
    task = asyncio.current_task()
    print("SEEN", run(fetch(session, "first")))
    async with session.get(os.environ["TARGET"] + "/?outer") as response:
        print("SEEN", run(fetch(session, "inner")), (await response.json())["result"])
    print("SEEN", asyncio.run(asyncio.sleep(0.01, "run")))
    print("SEEN", await asyncio.sleep(0.01, "slept"), asyncio.current_task() is task)

@scenario()
async def two(session):
    async def raises():
        await asyncio.sleep(0.01)
        raise ValueError("inside")
    try:
        run(raises())
    except ValueError as error:
        print("SEEN", error)
