# args: --single-run -c
# global_teardown fails.
from molotov import scenario, global_teardown

@scenario()
async def one(session):
    print("SEEN run")

@global_teardown()
def finish():
    print("SEEN global_teardown")
    raise ValueError("global_teardown")
