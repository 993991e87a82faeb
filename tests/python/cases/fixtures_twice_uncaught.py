# args: --single-run -c
# Two setups, with nobody catching the error.
from molotov import scenario, setup

@setup()
async def first(worker_id, args):
    return {}

@setup()
async def second(worker_id, args):
    return {}

@scenario()
async def one(session):
    print("SEEN never")
