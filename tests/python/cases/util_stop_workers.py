# args: -w 3 -r 9 -c
# unordered: seen requests
# A stop from a scenario of one worker: what the others have begun ends and counts, and nothing begins after it.
import asyncio
import os
from molotov import scenario, setup_session, teardown, get_context
from molotov import util

BEGUN = []
ALL = asyncio.Event()

@scenario()
async def one(session):
    context = get_context(session)
    print("SEEN", context.worker_id, context.step, util.is_stopped())
    BEGUN.append(context.worker_id)
    if len(BEGUN) == 3:
        ALL.set()
    await ALL.wait()
    if context.worker_id == 1:
        util.stop("enough")
        raise ValueError("the one that stopped")
    async with session.get(os.environ["TARGET"] + "/slow?ms=200") as response:
        print("SEEN", response.status, util.is_stopped(), util.stop_reason())

@teardown()
def end(worker_id):
    print("SEEN teardown", worker_id)
