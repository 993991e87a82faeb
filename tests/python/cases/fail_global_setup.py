# args: --single-run -c
# global_setup fails.
from molotov import scenario, global_setup, global_teardown

@global_setup()
def init(args):
    print("SEEN global_setup")
    raise ValueError("no start")

@scenario()
async def one(session):
    print("SEEN never")

@global_teardown()
def finish():
    print("SEEN global_teardown")
