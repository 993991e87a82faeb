# args: -r 5 -w 2 -c
# unordered: seen
# SIGTERM: as SIGINT, with two workers.
import asyncio
import os
import signal
from molotov import scenario, get_context, global_teardown

@scenario()
async def one(session):
    context = get_context(session)
    print("SEEN begin", context.worker_id, context.step)
    if context.worker_id == 1 and context.step == 1:
        os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.5)
    print("SEEN end", context.worker_id)

@global_teardown()
def finish():
    print("SEEN global_teardown")
