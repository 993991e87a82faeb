# args: --single-run -c
# What a failed scenario tells.
from molotov import scenario, events

class Own(Exception):
    pass

@scenario(name="breaks", weight=3)
async def one(session):
    error = Own("message", 5)
    error.extra = "carried"
    raise error

@events()
async def listen(event, **info):
    if event == "scenario_failure":
        error = info["exception"]
        print("SEEN", info["scenario"]["name"], info["scenario"]["weight"], info["wid"], type(error) is Own, error.args, error.extra)
        print("SEEN", error.__traceback__ is not None)
