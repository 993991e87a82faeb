# args: -r 3 -c
# A request object lives as long as the request: nothing keeps it after, whether an answer came or not.
import gc
import os
import socket
import weakref
from molotov import scenario, events, teardown

REQUESTS = []

with socket.socket() as unused:
    unused.bind(("127.0.0.1", 0))
    REFUSED = "http://127.0.0.1:%d/" % unused.getsockname()[1]

@scenario()
async def one(session):
    async with session.post(os.environ["TARGET"] + "/echo", data=b"x" * 1000) as response:
        await response.read()
    async with session.get(os.environ["TARGET"] + "/redirect/1") as response:
        pass
    try:
        await session.get(REFUSED)
    except OSError:
        print("SEEN refused")

@events()
async def listen(event, **info):
    if event == "sending_request":
        REQUESTS.append(weakref.ref(info["request"]))

@teardown()
def tell(wid):
    gc.collect()
    assert len(REQUESTS) >= 9
    print("SEEN", [request() for request in REQUESTS if request() is not None])
