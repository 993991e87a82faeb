# args: --single-run -c
# A WebSocket: text, bytes, JSON, ping and the end.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    async with session.ws_connect(os.environ["TARGET"] + "/ws") as ws:
        await ws.send_str("h\u00e9llo")
        message = await ws.receive()
        print("SEEN", message.type is aiohttp.WSMsgType.TEXT, message.data, message.extra)
        await ws.send_bytes(b"\x00\x01")
        print("SEEN", await ws.receive_bytes())
        await ws.send_json({"a": [1]})
        print("SEEN", await ws.receive_json())
        await ws.ping(b"are you there")
        await ws.send_str("x" * 70000)
        print("SEEN", len(await ws.receive_str()), ws.closed, ws.protocol)
    print("SEEN", ws.closed, ws.close_code)
