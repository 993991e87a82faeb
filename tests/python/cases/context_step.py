# args: -r 3 -c
# The step of each run.
from molotov import scenario, get_context

@scenario()
async def one(session):
    print("SEEN step", get_context(session).step)
