# args: --cons
# A prefix that fits two options.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN never")
