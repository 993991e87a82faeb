# args: --single-run -c
# A large body that is not read costs its connection.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"]
    async with session.get(url + "/big?n=8000000") as response:
        print("SEEN", response.status, response.content_length)
    async with session.get(url + "/connection") as response:
        print("SEEN", await response.json())
    async with session.get(url + "/big?n=3000000") as response:
        print("SEEN", len(await response.read()))
    async with session.get(url + "/connection") as response:
        print("SEEN", await response.json())
