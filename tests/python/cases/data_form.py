# args: --single-run -c
# Bodies from dicts and pairs.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for data in ({"a": "1", "b": "x y"}, {"u": "h\u00e9&=+"}, [("k", "1"), ("k", "2")], {}, {"e": ""}):
        async with session.post(url, data=data) as response:
            echo = await response.json()
            print("SEEN", echo["body"], echo["headers"].get("content-type"))
