# args: --single-run -c
# What the events tell of a scenario.
from molotov import scenario, events

@scenario(weight=7, delay=0.01, name="told")
async def one(session):
    pass

@events()
async def listen(event, **info):
    if event == "scenario_start":
        told = info["scenario"]
        for key in ("name", "weight", "delay", "args", "kw"):
            print("SEEN", key, told.get(key, "missing"))
        print("SEEN callable", callable(told["func"]), told["func"].__name__)
