# args: --single-run -c
# Requests of another session are nobody's business; a WebSocket's are.
import os
import aiohttp
from molotov import scenario, events

@scenario()
async def one(session):
    async with aiohttp.ClientSession() as mine:
        async with mine.get(os.environ["TARGET"] + "/") as response:
            print("SEEN", response.status)
    async with session.ws_connect(os.environ["TARGET"] + "/ws") as ws:
        await ws.send_str("a")
        print("SEEN", await ws.receive_str())

@events()
async def listen(event, **info):
    if event in ("sending_request", "response_received"):
        print("SEEN", event, info["request"].method, info["request"].url.path)
