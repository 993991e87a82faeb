# args: --single-run -c
# Two hundred requests in a row.
import os
from molotov import scenario

@scenario()
async def one(session):
    total = 0
    for number in range(200):
        async with session.get(os.environ["TARGET"] + "/status/200", params={"n": number}) as response:
            total += len(await response.text())
    print("SEEN", total)
