# args: -cxr2
# Options clustered behind one dash.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN run")
