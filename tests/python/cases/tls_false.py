# args: --single-run -c
# A certificate that nobody has signed is refused, unless the request asks for no checks.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET_TLS"] + "/tls"
    for options in ({}, {"ssl": False}, {"ssl": False}, {"verify_ssl": False}, {"ssl": True}, {"ssl": None}):
        try:
            async with session.get(url, **options) as response:
                print("SEEN", options, response.status, await response.json(), response.url)
        except aiohttp.ClientConnectorError as error:
            print("SEEN", options, type(error).__name__, error.ssl)
    async with session.post(url.replace("/tls", "/echo"), json={"a": 1}, ssl=False) as response:
        print("SEEN", (await response.json())["body"])
    async with session.get(url.replace("/tls", "/redirect/2"), ssl=False) as response:
        print("SEEN", response.status, len(response.history), await response.json())
    for options in ({"ssl": False, "verify_ssl": False}, {"ssl": 1.5}, {"fingerprint": b"short"}):
        try:
            await session.get(url, **options)
        except (TypeError, ValueError) as error:
            print("SEEN", options, type(error).__name__, error)
