# args: --single-run -c
# The stream of a body: read(n), read(), at_eof().
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/lines") as response:
        print("SEEN", await response.content.read(5), response.content.at_eof())
        print("SEEN", await response.content.read(0))
        print("SEEN", await response.content.read(), response.content.at_eof())
        print("SEEN", await response.content.read(), await response.content.read(3))
        print("SEEN", await response.read())
    async with session.get(os.environ["TARGET"] + "/lines") as response:
        print("SEEN", await response.content.readexactly(4), await response.content.readany())
        try:
            await response.content.readexactly(4)
        except Exception as error:
            print("SEEN", [c.__name__ for c in type(error).__mro__])
