# args: --single-run -c
# Redirects of bodies that were written while they were sent.
import asyncio
import os
import aiohttp
from molotov import scenario

async def pieces():
    yield b"one"
    yield b"two"

class Again:
    def __aiter__(self):
        return pieces()

def form():
    made = aiohttp.FormData()
    made.add_field("file", pieces(), filename="x")
    return made

@scenario()
async def one(session):
    for method, code in (("POST", 307), ("POST", 308), ("PUT", 301), ("POST", 301), ("PUT", 303)):
        for make in (pieces, Again, form):
            url = os.environ["TARGET"] + "/redirect-code/%d" % code
            try:
                async with session.request(method, url, data=make()) as response:
                    echo = await response.json()
                    print("SEEN", code, make.__name__, response.status, echo["method"], echo["body"],
                          echo["headers"].get("transfer-encoding"), echo["headers"].get("content-length"))
            except Exception as error:
                print("SEEN", code, make.__name__, type(error).__name__, error)
