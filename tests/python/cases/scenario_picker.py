# args: --max-runs 5 -c
# The picker names the scenario of each step; steps count from 1.
from molotov import scenario, scenario_picker

@scenario_picker()
def pick(worker_id, step_id):
    print("SEEN pick", worker_id, step_id)
    return ["one", "two"][step_id % 2]

@scenario()
async def one(session):
    print("SEEN one")

@scenario()
async def two(session):
    print("SEEN two")
