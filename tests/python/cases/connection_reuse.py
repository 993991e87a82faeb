# args: --single-run -c
# Which answers leave their connection usable: told by the number of the connection.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"]

    async def number(after):
        async with session.get(url + "/connection") as response:
            print("SEEN after", after, (await response.json())["connection"])

    await number("nothing")
    async with session.get(url + "/status/404") as response:
        pass
    await number("404 not read")
    async with session.get(url + "/chunked") as response:
        await response.read()
    await number("chunked")
    async with session.get(url + "/until-close") as response:
        print("SEEN", await response.text())
    await number("closing answer")
    response = await session.get(url + "/empty")
    await number("empty body, awaited")
    response = await session.get(url + "/")
    response.close()
    await number("closed answer")
    async with session.get(url + "/redirect/2") as response:
        await response.read()
    await number("redirects")
