# args: --no-such-option -c
# An option that does not exist.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN never")
