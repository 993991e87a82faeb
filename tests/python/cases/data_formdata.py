# args: --single-run -c
# FormData: fields, a file name, a type.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    form = aiohttp.FormData()
    form.add_field("plain", "text")
    form.add_field("letters", "h\u00e9")
    form.add_field("file", b"content", filename="a b.txt", content_type="text/x-own")
    async with session.post(os.environ["TARGET"] + "/echo", data=form) as response:
        echo = await response.json()
        print("SEEN", echo["headers"]["content-type"].split(";")[0], echo["body"].count("Content-Disposition"))
    async with session.post(os.environ["TARGET"] + "/echo", data=aiohttp.FormData({"only": "fields"})) as response:
        echo = await response.json()
        print("SEEN", echo["headers"]["content-type"], echo["body"])
