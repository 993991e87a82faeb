# args: -r 5 -x -c
# -x: the first failure ends the run.
from molotov import scenario, get_context, teardown_session

@scenario()
async def one(session):
    print("SEEN", get_context(session).step)
    assert get_context(session).step < 3

@teardown_session()
async def closing(worker_id, session):
    print("SEEN teardown_session")
