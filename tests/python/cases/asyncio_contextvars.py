# args: -w 2 -r 2 -c
# unordered: seen
# A context variable set in setup_session is there in the scenario, per worker.
import contextvars
from molotov import scenario, setup, setup_session, teardown_session

NAME = contextvars.ContextVar("name", default="unset")
EARLY = contextvars.ContextVar("early", default="unset")

@setup()
async def prepare(worker_id, args):
    EARLY.set("early %d" % worker_id)
    return {}

@setup_session()
async def opened(worker_id, session):
    NAME.set("worker %d" % worker_id)

@scenario()
async def one(session):
    print("SEEN", NAME.get(), EARLY.get())

@teardown_session()
async def closing(worker_id, session):
    print("SEEN end", worker_id, NAME.get())
