# args: --single-run -c
# FormData: names that need quotes, and a transfer encoding.
import io
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    form = aiohttp.FormData()
    form.add_field('na"me', io.BytesIO(b"stream"), filename="h\u00e9.bin")
    form.add_field("encoded", "binary\u00e9", content_transfer_encoding="base64")
    form.add_field("number", "1", content_type="text/plain")
    async with session.post(os.environ["TARGET"] + "/echo", data=form) as response:
        print("SEEN", response.status, (await response.json())["body"].count("\r\n"))
