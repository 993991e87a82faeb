# args: --single-run -c
# Private names of aiohttp's session that scripts use.
import asyncio
import os
import aiohttp
from molotov import scenario
import yarl

@scenario()
async def one(session):
    target = os.environ["TARGET"]
    session._default_headers.update({"X-Late": "1"})
    print("SEEN", session._default_headers is session._default_headers, session.headers["X-Late"])
    async with session.get(target + "/echo") as response:
        print("SEEN", (await response.json())["headers"].get("x-late"))
    session._cookie_jar.update_cookies({"flavour": "plain"})
    print("SEEN", len(session._cookie_jar), session._cookie_jar is session.cookie_jar)
    async with session.get(target + "/cookies") as response:
        print("SEEN", await response.json())
    print("SEEN", session._base_url)
    session._base_url = yarl.URL(target)
    for path in ("/echo?a=1", yarl.URL("/echo")):
        async with session.get(path) as response:
            print("SEEN", response.status, (await response.json())["target"])
    session._default_headers = {"X-Other": "2"}
    async with session.post("/echo", data=b"x") as response:
        headers = (await response.json())["headers"]
        print("SEEN", headers.get("x-late"), headers.get("x-other"))
    session._timeout = aiohttp.ClientTimeout(total=0.2)
    try:
        await session.get("/slow?ms=2000")
    except asyncio.TimeoutError as error:
        print("SEEN", type(error).__name__)
