# args: --single-run -c
# setup_session fails.
from molotov import scenario, setup_session

@setup_session()
async def opened(worker_id, session):
    print("SEEN setup_session")
    raise ValueError("no session")

@scenario()
async def one(session):
    print("SEEN never")
