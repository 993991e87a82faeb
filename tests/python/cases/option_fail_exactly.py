# args: -r 3 --fail 3 -c
# --fail 3 with three failures.
from molotov import scenario

@scenario()
async def one(session):
    raise ValueError()
