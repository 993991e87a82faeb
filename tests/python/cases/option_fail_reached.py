# args: -r 3 -f 1 -c
# -f 1 with failures: exit code 1.
from molotov import scenario

@scenario()
async def one(session):
    raise ValueError()
