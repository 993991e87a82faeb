# args: --single-run -c
# Bodies of text and of bytes.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for data in ("plain", "h\u00e9\u4e2d", b"\x00\xff", bytearray(b"array"), memoryview(b"view"), ""):
        async with session.post(url, data=data) as response:
            echo = await response.json()
            print("SEEN", repr(echo["body"]), echo["headers"].get("content-type"), echo["headers"].get("content-length"))
    async with session.post(url, data="a", headers={"Content-Type": "application/x-own"}) as response:
        print("SEEN", (await response.json())["headers"]["content-type"])
