# args: --single-run -c
# teardown_session fails; the rest of the end still comes.
from molotov import scenario, teardown_session, teardown, global_teardown

@scenario()
async def one(session):
    print("SEEN run")

@teardown_session()
async def closing(worker_id, session):
    print("SEEN teardown_session")
    raise ValueError("teardown_session")

@teardown()
def end(worker_id):
    print("SEEN teardown")

@global_teardown()
def finish():
    print("SEEN global_teardown")
