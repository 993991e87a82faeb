# args: --single-run -c
# A query from a dict; numbers become text.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for params in ({"a": "1"}, {"a": 1, "b": 2.5}, {"a b": "c d"}, {"q": "x&y=z"}, {"u": "h\u00e9\u4e2d"},
                   {"e": ""}, {"p": "a+b%20c/d?e#f"}, {}, None):
        async with session.get(url, params=params) as response:
            print("SEEN", (await response.json())["target"], response.url.raw_query_string)
