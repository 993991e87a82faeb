# args: --single-run -c
# Coroutines and plain functions where they are not wanted.
from molotov import (scenario, setup, setup_session, teardown_session,
                     teardown, global_setup, global_teardown, events)

def plain(*args, **kw):
    pass

async def coroutine(*args, **kw):
    pass

for decorator in (setup, setup_session, teardown_session, events, scenario):
    try:
        decorator()(plain)
        print("SEEN plain", decorator.__name__, "accepted")
    except Exception as error:
        print("SEEN plain", decorator.__name__, type(error).__name__)
for decorator in (teardown, global_setup, global_teardown):
    try:
        decorator()(coroutine)
        print("SEEN coroutine", decorator.__name__, "accepted")
    except Exception as error:
        print("SEEN coroutine", decorator.__name__, type(error).__name__)

@scenario()
async def one(session):
    pass
