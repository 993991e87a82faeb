# args: --single-run -c
# More hops than allowed.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    for hops, limit in ((2, 2), (3, 2), (9, 10), (11, 10), (1, 0), (1, 1)):
        try:
            async with session.get(os.environ["TARGET"] + "/redirect/%d" % hops, max_redirects=limit) as response:
                print("SEEN", hops, limit, response.status, len(response.history))
        except aiohttp.TooManyRedirects as error:
            print("SEEN", hops, limit, [c.__name__ for c in type(error).__mro__])
            print("SEEN", error.status, repr(error.message), len(error.history), str(error.request_info.real_url), str(error))
