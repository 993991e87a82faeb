# args: --single-run -c
# Addresses of other types.
import os
from molotov import scenario

@scenario()
async def one(session):
    for url in (None, 5, b"http://127.0.0.1/"):
        try:
            await session.get(url)
            print("SEEN accepted")
        except Exception as error:
            print("SEEN", repr(url), type(error).__name__)
    try:
        await session.request("BAD VERB", os.environ["TARGET"])
    except Exception as error:
        print("SEEN", type(error).__name__)
