# args: --single-run -c
# Errors with a cause, and groups of them.
from molotov import scenario, events

@scenario()
async def a_cause(session):
    try:
        int("x")
    except ValueError as error:
        raise RuntimeError("outer") from error

@scenario()
async def b_unicode(session):
    raise ValueError("h\u00e9 \u4e2d \U0001f4a3\nsecond line")

@events()
async def listen(event, **info):
    if event == "scenario_failure":
        error = info["exception"]
        print("SEEN", type(error).__name__, repr(str(error)), type(error.__cause__).__name__)
