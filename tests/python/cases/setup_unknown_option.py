# args: --single-run -c
# An option that no session knows.
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"no_such_option": 1}

@scenario()
async def one(session):
    print("SEEN never")
