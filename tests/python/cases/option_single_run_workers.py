# args: -w 3 --single-run -c
# unordered: seen
# --single-run: every worker runs every scenario once.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN one")

@scenario()
async def two(session):
    print("SEEN two")
