# args: -q --single-run
# -q prints nothing; the requests are made.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/") as response:
        assert response.status == 200
