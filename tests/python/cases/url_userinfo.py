# args: --single-run -c
# Credentials in the address.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"].replace("//", "//user:secret@") + "/basic-auth"
    async with session.get(url) as response:
        print("SEEN", response.status, str(response.url), str(response.request_info.url))
    try:
        import aiohttp
        async with session.get(url, auth=aiohttp.BasicAuth("x", "y")) as response:
            print("SEEN", response.status)
    except Exception as error:
        print("SEEN", type(error).__name__, error)
