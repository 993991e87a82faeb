# args: -r 3 -c
# A scenario that cancels its own task.
import asyncio
from molotov import scenario, events, get_context, teardown_session, teardown

@scenario()
async def one(session):
    step = get_context(session).step
    print("SEEN step", step)
    if step == 2:
        asyncio.current_task().cancel()
        await asyncio.sleep(0)
        print("SEEN never")

@events()
async def listen(event, **info):
    if event in ("scenario_failure", "scenario_success"):
        print("SEEN", event, type(info.get("exception")).__name__)

@teardown_session()
async def closing(worker_id, session):
    print("SEEN teardown_session")

@teardown()
def end(worker_id):
    print("SEEN teardown")
