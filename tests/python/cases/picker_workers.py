# args: -w 2 -r 2 -c
# unordered: seen
# Steps are counted for each worker.
from molotov import scenario, scenario_picker

@scenario_picker()
def pick(worker_id, step_id):
    print("SEEN pick", worker_id, step_id)
    return "one"

@scenario()
async def one(session):
    pass
