# args: --single-run -c
# setup fails.
from molotov import scenario, setup, teardown, setup_session

@setup()
async def prepare(worker_id, args):
    print("SEEN setup")
    raise ValueError("no setup")

@setup_session()
async def opened(worker_id, session):
    print("SEEN setup_session")

@scenario()
async def one(session):
    print("SEEN never")
