# args: --single-run -c
# Messages in a loop, until the server ends it.
import os
from molotov import scenario

@scenario()
async def one(session):
    ws = await session.ws_connect(os.environ["TARGET"] + "/ws", protocols=("chat", "other"))
    print("SEEN", ws.protocol)
    for text in ("one", "two", "please close"):
        await ws.send_str(text)
    async for message in ws:
        print("SEEN", message.type.name, message.data)
    print("SEEN", ws.closed, ws.close_code, ws.exception())
    message = await ws.receive()
    print("SEEN", message.type.name)
    print("SEEN", await ws.close())
