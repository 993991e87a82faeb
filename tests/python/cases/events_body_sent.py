# args: --single-run -c
# The body in the listener, for kinds of data; it may be changed, the headers as well.
import os
from molotov import scenario, events

@scenario()
async def one(session):
    for options in ({"data": "text"}, {"data": b"bytes"}, {"json": {"a": 1}}, {"data": {"f": "1"}}, {}):
        async with session.post(os.environ["TARGET"] + "/echo", **options) as response:
            echo = await response.json()
            print("SEEN scenario", echo["body"], echo["headers"].get("x-late"))

@events()
async def listen(event, **info):
    if event == "sending_request":
        body = info["request"].body
        print("SEEN body", type(body).__name__, getattr(body, "_value", body))
        info["request"].headers["X-Late"] = "added"
