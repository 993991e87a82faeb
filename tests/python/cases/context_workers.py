# args: -w 2 -r 1 -c
# Contexts of two workers are two.
# unordered: seen
from molotov import scenario, get_context, setup_session

@setup_session()
async def opened(worker_id, session):
    get_context(session).own = worker_id

@scenario()
async def one(session):
    print("SEEN", get_context(session).worker_id, get_context(session).own)
