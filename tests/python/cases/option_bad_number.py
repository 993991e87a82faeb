# args: -w many -c
# A number that is none.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN never")
