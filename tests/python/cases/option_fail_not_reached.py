# args: -r 3 --fail 4 -c
# --fail 4 with three failures: exit code 0.
from molotov import scenario

@scenario()
async def one(session):
    raise ValueError()
