# args: --single-run -c
# The classes of errors by name alone, in a script without aiohttp.
import asyncio
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"]
    for path, options in (("/close", {}), ("/half", {}), ("/redirect/3", {"max_redirects": 1}), ("/slow?ms=3000", {"timeout": 0.2}),
                          ("/status/400", {"raise_for_status": True})):
        try:
            async with session.get(url + path, **options) as response:
                await response.read()
        except Exception as error:
            print("SEEN", path, [c.__name__ for c in type(error).__mro__], isinstance(error, asyncio.TimeoutError))
