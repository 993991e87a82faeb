# args: --single-run -c
# What a scenario returns does not matter.
from molotov import scenario

@scenario()
async def false(session):
    return False

@scenario()
async def number(session):
    return 17
