# args: --single-run -c
# Proxies with a login, proxies that nobody answers at, and redirects through a proxy.
import os
import aiohttp
from molotov import scenario

TARGET = os.environ["TARGET"]

@scenario()
async def one(session):
    login = aiohttp.BasicAuth("user", "secret")
    for options in ({"proxy": TARGET, "proxy_auth": login}, {"proxy": TARGET.replace("//", "//user:secret@")}):
        async with session.get("http://example.invalid/echo", **options) as response:
            answer = await response.json()
            print("SEEN", answer["target"], answer["headers"]["host"], answer["headers"].get("proxy-authorization"))
    async with session.post("http://example.invalid/redirect/1", proxy=TARGET, json={"a": 1}) as response:
        print("SEEN", response.status, response.url, [str(hop.url) for hop in response.history])
    try:
        await session.get("http://example.invalid/", proxy="http://127.0.0.1:1")
    except aiohttp.ClientError as error:
        print("SEEN", [c.__name__ for c in type(error).__mro__], error.host, error.port)
    try:
        await session.get("http://example.invalid/", proxy=TARGET, proxy_auth=("user", "secret"))
    except ValueError as error:
        print("SEEN", error)
