# args: --single-run -c
# A MultipartWriter, of form data and mixed.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    with aiohttp.MultipartWriter("mixed") as writer:
        writer.append("text part")
        writer.append_json({"a": 1})
        writer.append(b"bytes", {"X-Part": "own"})
    async with session.post(os.environ["TARGET"] + "/echo", data=writer) as response:
        echo = await response.json()
        print("SEEN", echo["headers"]["content-type"].split(";")[0], echo["body"].count("Content-Type"))
