# args: --single-run -c
# JSON bodies of every kind.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for value in ({"a": 1}, [1, "two", None], "text", 5, 0, False, {}, [], "", {"u": "h\u00e9"}, 1.5, None):
        async with session.post(url, json=value) as response:
            echo = await response.json()
            print("SEEN", repr(value), repr(echo["body"]), echo["headers"].get("content-type"))
    try:
        await session.post(url, json={"a": 1}, data="b")
    except ValueError as error:
        print("SEEN", type(error).__name__, error)
    try:
        await session.post(url, json={1, 2})
    except TypeError as error:
        print("SEEN", type(error).__name__, error)
