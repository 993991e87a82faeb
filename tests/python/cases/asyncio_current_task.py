# args: -r 3 -w 2 -c
# A worker stays one task for its life.
from asyncio import current_task
from molotov import scenario, setup_session, global_teardown

TASKS = {}

@setup_session()
async def opened(worker_id, session):
    session.wid = worker_id
    TASKS[worker_id] = {id(current_task())}

@scenario()
async def one(session):
    TASKS[session.wid].add(id(current_task()))

@global_teardown()
def told():
    print("SEEN", sorted((wid, len(ids)) for wid, ids in TASKS.items()))
