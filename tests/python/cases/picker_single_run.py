# args: --single-run -c
# A picker beside --single-run.
from molotov import scenario, scenario_picker

@scenario_picker()
def pick(worker_id, step_id):
    print("SEEN pick", step_id)
    return "two"

@scenario()
async def one(session):
    print("SEEN one")

@scenario()
async def two(session):
    print("SEEN two")
