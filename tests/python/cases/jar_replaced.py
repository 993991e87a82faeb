# args: --single-run -c
# A session's jar is replaced by another.
import os
import aiohttp
import yarl
from molotov import scenario

TARGET = os.environ["TARGET"]

async def sent(session):
    async with session.get(TARGET + "/set-cookie"):
        pass
    async with session.get(TARGET + "/cookies") as response:
        return sorted((await response.json())["cookie"].split("; "))

@scenario()
async def one(session):
    print("SEEN", await sent(session), len(session.cookie_jar))
    for jar in (aiohttp.CookieJar(unsafe=True), aiohttp.DummyCookieJar(), aiohttp.CookieJar()):
        session._cookie_jar = jar
        print("SEEN", await sent(session), session.cookie_jar is jar, len(session.cookie_jar), type(session.cookie_jar).__name__)
    session._cookie_jar = other = aiohttp.CookieJar(unsafe=True)
    other.update_cookies({"mine": '"quoted value"'}, yarl.URL(TARGET))
    print("SEEN", await sent(session))
    for cookie in sorted(session.cookie_jar, key=lambda cookie: cookie.key):
        print("SEEN", cookie.key, cookie.value, cookie["path"])
