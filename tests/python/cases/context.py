# args: --single-run -c
# The context of a session.
import molotov.session
from molotov import scenario, get_context, setup_session

@setup_session()
async def opened(worker_id, session):
    get_context(session).own = "kept"
    print("SEEN setup", get_context(session).worker_id, get_context(session).own)

@scenario()
async def one(session):
    context = get_context(session)
    print("SEEN", context is molotov.session.get_context(session), context.statsd, context.worker_id, context.args.workers)
    print("SEEN", context.own)
    context.more = 1
    print("SEEN", get_context(session).more)
    try:
        print("SEEN", context.nope)
    except AttributeError:
        print("SEEN AttributeError")
