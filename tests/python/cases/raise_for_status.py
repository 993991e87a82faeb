# args: --single-run -c
# raise_for_status of a request and of a response.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"]
    try:
        async with session.get(url + "/status/503", raise_for_status=True) as response:
            print("SEEN never")
    except aiohttp.ClientResponseError as error:
        print("SEEN", [c.__name__ for c in type(error).__mro__])
        print("SEEN", error.status, error.message, error.headers["content-type"], error.history, str(error))
        print("SEEN", error.request_info.method, str(error.request_info.url), error.args[0] == error.request_info)
        print("SEEN", repr(error).split("(")[0])
    async with session.get(url + "/status/418?reason=Short") as response:
        try:
            response.raise_for_status()
        except aiohttp.ClientResponseError as error:
            print("SEEN", error.status, error.message)
        try:
            print("SEEN", await response.text())
        except Exception as error:
            print("SEEN", type(error).__name__, error)
    async with session.get(url + "/status/204") as response:
        print("SEEN", response.raise_for_status(), response.status)
