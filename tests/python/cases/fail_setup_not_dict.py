# args: --single-run -c
# setup gives back something else than options.
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return "text"

@scenario()
async def one(session):
    print("SEEN never")
