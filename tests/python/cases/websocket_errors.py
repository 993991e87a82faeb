# args: --single-run -c
# No WebSocket there; wrong kinds of messages; a timeout.
import asyncio
import os
from molotov import scenario

@scenario()
async def one(session):
    try:
        async with session.ws_connect(os.environ["TARGET"] + "/empty") as ws:
            print("SEEN never")
    except Exception as error:
        print("SEEN", [c.__name__ for c in type(error).__mro__], error.status, error.message)
    async with session.ws_connect(os.environ["TARGET"].replace("http", "ws") + "/ws") as ws:
        await ws.send_str("text")
        try:
            await ws.receive_bytes()
        except TypeError as error:
            print("SEEN", type(error).__name__)
        try:
            await ws.receive(timeout=0.2)
        except asyncio.TimeoutError as error:
            print("SEEN", type(error).__name__)
        try:
            await ws.send_str(b"bytes")
        except TypeError as error:
            print("SEEN", type(error).__name__)
