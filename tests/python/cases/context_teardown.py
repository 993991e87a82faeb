# args: --single-run -c
# Attributes of the context are there when the session ends.
from molotov import scenario, get_context, teardown_session

@scenario()
async def one(session):
    get_context(session).bought = 3

@teardown_session()
async def closing(worker_id, session):
    print("SEEN", worker_id, get_context(session).bought, get_context(session).worker_id)
