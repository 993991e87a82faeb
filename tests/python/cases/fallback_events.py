# args: --single-run -c
# The events of requests that only aiohttp makes: WebSockets, and others.
import os
from molotov import scenario, events

SENT = {}
TARGET = os.environ["TARGET"]

@scenario()
async def one(session):
    async with session.ws_connect(TARGET + "/ws") as ws:
        await ws.send_str("a")
        print("SEEN", await ws.receive_str())
    async with session.post(TARGET + "/echo", data=b"x", expect100=True) as response:
        print("SEEN", (await response.json())["headers"]["x-heard"], response.mark)
    try:
        await session.post("http://127.0.0.1:1/", data=b"x", expect100=True)
    except OSError as error:
        print("SEEN", type(error).__name__)
    async with session.post(TARGET + "/redirect-code/307", data=b"x", expect100=True) as response:
        print("SEEN", response.status)

@events()
async def listen(event, **info):
    if event == "sending_request":
        request = info["request"]
        request.headers["X-Heard"] = "1"
        SENT[request] = info["session"]
        print("SEEN", event, request.method, request.url.path, sorted(info))
    elif event == "response_received":
        request, response = info["request"], info["response"]
        response.mark = "marked"
        print("SEEN", event, response.status, request in SENT, response.request is request, SENT[request] is info["session"])
