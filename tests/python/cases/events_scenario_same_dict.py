# args: --single-run -c
# The same dict in each event of a run, and in the next run.
from molotov import scenario, events

IDS = set()

@scenario()
async def one(session):
    pass

@events()
async def listen(event, **info):
    if "scenario" in info:
        IDS.add(id(info["scenario"]))
        print("SEEN", event, len(IDS))
