# args: --single-run -c
# weight, delay and name given by position.
from molotov import scenario

@scenario(40, 0.0, "by place")
async def one(session):
    print("SEEN one")

@scenario(60)
async def two(session):
    print("SEEN two")
