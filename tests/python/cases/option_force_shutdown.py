# args: -d 1 --force-shutdown -c
# --force-shutdown: a scenario that runs when the time is over.
import asyncio
from molotov import scenario, teardown_session

@scenario()
async def one(session):
    try:
        await asyncio.sleep(4)
        print("SEEN ran to its end")
    except asyncio.CancelledError:
        print("SEEN cut")
        raise

@teardown_session()
async def closing(worker_id, session):
    print("SEEN teardown_session")
