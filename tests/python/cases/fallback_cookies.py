# args: --single-run -c
# Cookies are one, whoever makes the request: aiohttp itself or not.
import os
import aiohttp
from molotov import scenario

TARGET = os.environ["TARGET"].replace("127.0.0.1", "localhost")

@scenario()
async def one(session):
    async with session.get(TARGET + "/set-cookie"):
        pass
    # A WebSocket sends them: see the requests.
    async with session.ws_connect(TARGET + "/ws") as ws:
        await ws.send_str("a")
        print("SEEN", await ws.receive_str())
    async with session.post(TARGET + "/echo", data=b"x", expect100=True) as response:
        print("SEEN", (await response.json())["headers"]["cookie"])
    session.cookie_jar.clear()
    async with session.post(TARGET + "/set-cookie", data=b"x", expect100=True) as response:
        print("SEEN", sorted(response.cookies), len(session.cookie_jar))
    async with session.get(TARGET + "/cookies") as response:
        print("SEEN", await response.json())
    session.cookie_jar.update_cookies({"by": "hand"})
    async with session.ws_connect(TARGET + "/ws") as ws:
        print("SEEN", ws.closed)
    session._cookie_jar = aiohttp.DummyCookieJar()
    async with session.post(TARGET + "/echo", data=b"x", expect100=True) as response:
        print("SEEN", (await response.json())["headers"].get("cookie"))
