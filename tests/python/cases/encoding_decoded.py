# args: --single-run -c
# Packed bodies are unpacked, the header stays.
import os
from molotov import scenario

@scenario()
async def one(session):
    for path in ("/gzip", "/deflate"):
        async with session.get(os.environ["TARGET"] + path) as response:
            print("SEEN", await response.json(), response.headers.get("content-encoding"),
                  response.content_length == int(response.headers["content-length"]))
        async with session.get(os.environ["TARGET"] + path) as response:
            print("SEEN", await response.content.read(9))
        async with session.head(os.environ["TARGET"] + path) as response:
            print("SEEN", response.status, await response.read())
