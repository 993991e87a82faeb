# args: -w 2 -r 3 -c
# Module globals are shared by workers without locks.
from molotov import scenario, global_teardown

COUNT = 0

@scenario()
async def one(session):
    global COUNT
    COUNT += 1

@global_teardown()
def told():
    print("SEEN", COUNT)
