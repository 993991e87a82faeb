# args: --single-run -c
# StopAsyncIteration and GeneratorExit out of a scenario.
from molotov import scenario, events

@scenario()
async def a_stop(session):
    raise StopAsyncIteration("early")

@scenario()
async def b_next(session):
    next(iter(()))

@events()
async def listen(event, **info):
    if event == "scenario_failure":
        print("SEEN", type(info["exception"]).__name__)
