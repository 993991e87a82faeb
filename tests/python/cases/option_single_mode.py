# args: -s two -r 2 -c
# -s: only this one.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN one")

@scenario(weight=0.1)
async def two(session):
    print("SEEN two")
