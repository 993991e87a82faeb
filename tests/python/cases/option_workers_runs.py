# args: -w 3 -r 2 -c
# Three workers of two runs are six.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN run")
