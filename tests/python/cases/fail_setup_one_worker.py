# args: -w 2 -r 5 -c
# unordered: seen
# setup fails for one worker of two, while the other runs a scenario.
import asyncio
from molotov import scenario, setup, teardown, get_context

RUNS = asyncio.Event()
FAILED = asyncio.Event()

@setup()
async def prepare(worker_id, args):
    if worker_id == 1:
        await RUNS.wait()
        FAILED.set()
        raise ValueError("no setup")

@scenario()
async def one(session):
    context = get_context(session)
    print("SEEN", context.worker_id, context.step)
    RUNS.set()
    await FAILED.wait()
    await asyncio.sleep(0.1)
    print("SEEN end")

@teardown()
def end(worker_id):
    print("SEEN teardown", worker_id)
