# args: -r 2 -c
# The picker names what is not there.
from molotov import scenario, scenario_picker

@scenario_picker()
def pick(worker_id, step_id):
    print("SEEN pick", step_id)
    return "nope"

@scenario()
async def one(session):
    print("SEEN never")
