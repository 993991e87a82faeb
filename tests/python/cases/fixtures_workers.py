# args: -w 3 -r 2 -c
# unordered: seen
# Three workers, two runs each: each worker has its own session.
from molotov import scenario, setup, setup_session, teardown_session, teardown

@setup()
async def prepare(worker_id, args):
    print("SEEN setup", worker_id)
    return {"headers": {"X-Worker": str(worker_id)}}

@setup_session()
async def opened(worker_id, session):
    session.mine = worker_id
    print("SEEN setup_session", worker_id)

@scenario()
async def one(session):
    print("SEEN scenario of", session.mine, session.headers.get("x-worker"))

@teardown_session()
async def closing(worker_id, session):
    print("SEEN teardown_session", worker_id, session.mine)

@teardown()
def end(worker_id):
    print("SEEN teardown", worker_id)
