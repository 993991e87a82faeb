# args: --single-run -c
# Addresses that are none.
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    for url in ("", "/only/a/path", "http://", "no-scheme", "ftp://127.0.0.1/", "http://127.0.0.1:99999/", "http://[::1", "file:///x"):
        try:
            await session.get(url)
            print("SEEN", repr(url), "accepted")
        except Exception as error:
            print("SEEN", repr(url), [c.__name__ for c in type(error).__mro__ if c.__module__ != "builtins" or c is ValueError])
            print("SEEN", str(error), isinstance(error, aiohttp.InvalidURL) and str(error.url))
