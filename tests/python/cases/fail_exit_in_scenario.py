# args: --single-run -c
# sys.exit() out of a scenario.
import sys
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN before")
    sys.exit(7)
