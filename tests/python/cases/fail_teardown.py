# args: --single-run -c
# teardown fails; global_teardown still comes.
from molotov import scenario, teardown, global_teardown

@scenario()
async def one(session):
    print("SEEN run")

@teardown()
def end(worker_id):
    print("SEEN teardown")
    raise ValueError("teardown")

@global_teardown()
def finish():
    print("SEEN global_teardown")
