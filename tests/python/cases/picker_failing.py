# args: -r 2 -c
# A picker that fails.
from molotov import scenario, scenario_picker

@scenario_picker()
def pick(worker_id, step_id):
    print("SEEN pick", step_id)
    raise ValueError("cannot decide")

@scenario()
async def one(session):
    print("SEEN never")
