# args: --single-run -c
# A scenario that takes no session, or two things.
from molotov import scenario, events

@scenario()
async def a_none():
    print("SEEN never")

@scenario()
async def b_two(session, other):
    print("SEEN never")

@scenario()
async def c_default(session, other=5):
    print("SEEN", other)

@events()
async def listen(event, **info):
    if event == "scenario_failure":
        print("SEEN", type(info["exception"]).__name__)
