# args: -s one --single-run -c
# -s and --single-run do not go together.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN one")
