# args: --single-run -c
# Redirects to nowhere, to odd places, and with a fragment.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/redirect-nowhere") as response:
        print("SEEN", response.status, await response.text(), len(response.history))
    for target in ("echo", "../echo", "/echo?a=b c", "/echo#part", "?q=1", "ftp://x/", "http://", ""):
        try:
            async with session.get(os.environ["TARGET"] + "/redirect-code/302", params={"to": target}, max_redirects=3) as response:
                print("SEEN", repr(target), response.status, str(response.url))
        except Exception as error:
            print("SEEN", repr(target), type(error).__name__)
