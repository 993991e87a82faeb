# args: -s nope -r 2 -c
# -s with a name that is not there.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN one")
