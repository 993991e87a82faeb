# args: -q -v --single-run
# -q and -v do not go together.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN one")
