# args: --single-run -c
# Credentials of one request; the wrong kind of them.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/basic-auth"
    async with session.get(url, auth=aiohttp.BasicAuth("user", "secret")) as response:
        print("SEEN", response.status)
    async with session.get(url) as response:
        print("SEEN", response.status, response.reason)
    async with session.get(url, auth=aiohttp.BasicAuth("h\u00e9", "p:w", encoding="utf-8")) as response:
        print("SEEN", response.status)
    try:
        await session.get(url, auth=("user", "secret"))
    except Exception as error:
        print("SEEN", type(error).__name__, error)
