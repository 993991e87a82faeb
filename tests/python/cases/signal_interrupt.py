# args: -r 5 -c
# SIGINT: the running scenario ends, no other begins, exit code 0.
import asyncio
import os
import signal
from molotov import scenario, get_context, teardown, teardown_session, global_teardown

@scenario()
async def one(session):
    print("SEEN begin", get_context(session).step)
    if get_context(session).step == 2:
        os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(0.5)
    print("SEEN end")

@teardown_session()
async def closing(worker_id, session):
    print("SEEN teardown_session")

@teardown()
def end(worker_id):
    print("SEEN teardown")

@global_teardown()
def finish():
    print("SEEN global_teardown")
