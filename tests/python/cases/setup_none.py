# args: --single-run -c
# A setup that gives back nothing.
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    print("SEEN setup")

@scenario()
async def one(session):
    print("SEEN scenario")
