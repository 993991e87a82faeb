# args: --single-run -c
# Two functions of one name: the later one stays.
from molotov import scenario

@scenario()
async def twice(session):
    print("SEEN first")

@scenario()
async def twice(session):
    print("SEEN second")

@scenario(name="twice")
async def third(session):
    print("SEEN third")
