# args: --single-run -c
# The stream of a body: pieces of a size, and as they come.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/big?n=25") as response:
        async for piece in response.content.iter_chunked(10):
            print("SEEN", len(piece))
    async with session.get(os.environ["TARGET"] + "/chunked") as response:
        pieces = [piece async for piece, end in response.content.iter_chunks() if piece]
        print("SEEN", pieces)
    async with session.get(os.environ["TARGET"] + "/chunked") as response:
        pieces = [piece async for piece in response.content.iter_any()]
        print("SEEN", b"".join(pieces), response.headers.get("content-length"), response.content_length)
    async with session.get(os.environ["TARGET"] + "/big?n=3000000") as response:
        print("SEEN", sum([len(piece) async for piece in response.content.iter_chunked(65536)]))
