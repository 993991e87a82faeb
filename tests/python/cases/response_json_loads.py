# args: --single-run -c
# json() with a parser of the script's own, and an encoding.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", await response.json(loads=lambda text: type(text).__name__))
    async with session.get(os.environ["TARGET"] + "/text?charset=latin-1") as response:
        print("SEEN", await response.json(loads=str.upper, content_type=None, encoding="latin-1"))
