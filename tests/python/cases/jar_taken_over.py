# args: --single-run -c
# A jar of the script's own, with cookies in it, is the session's.
import os
import aiohttp
import yarl
from molotov import scenario, setup

TARGET = os.environ["TARGET"]
NAMED = TARGET.replace("127.0.0.1", "localhost")

@setup()
async def prepare(worker_id, args):
    jar = aiohttp.CookieJar(unsafe=True)
    jar.update_cookies({"early": "1"}, yarl.URL(TARGET + "/"))
    jar.update_cookies({"deep": "2"}, yarl.URL(NAMED + "/echo/deep"))
    jar.update_cookies({"everywhere": "3"})
    prepare.jar = jar
    return {"cookie_jar": jar, "cookies": {"given": "4"}}

async def sent(session, url):
    async with session.get(url) as response:
        return (await response.json())["cookie"]

@scenario()
async def one(session):
    jar = prepare.jar
    print("SEEN", session.cookie_jar is jar, session._cookie_jar is jar, isinstance(jar, aiohttp.CookieJar))
    print("SEEN", sorted((await sent(session, TARGET + "/cookies")).split("; ")))
    print("SEEN", sorted((await sent(session, NAMED + "/cookies")).split("; ")))
    async with session.get(TARGET + "/set-cookie") as response:
        print("SEEN", response.status)
    print("SEEN", sorted((await sent(session, TARGET + "/cookies")).split("; ")))
    print("SEEN", sorted((c.key, c.value, c["path"], c["domain"].replace("127.0.0.1", "address")) for c in jar))
    jar.update_cookies({"late": "5"}, yarl.URL(TARGET + "/"))
    jar.clear(lambda cookie: cookie.key in ("early", "given"))
    print("SEEN", sorted((await sent(session, TARGET + "/cookies")).split("; ")))
    print("SEEN", sorted(jar.filter_cookies(yarl.URL(TARGET + "/")).items()) == sorted(session.cookie_jar.filter_cookies(TARGET + "/").items()))
    jar.clear_domain("127.0.0.1")
    print("SEEN", sorted((await sent(session, TARGET + "/cookies")).split("; ")), len(jar))
    jar.clear()
    print("SEEN", repr(await sent(session, TARGET + "/cookies")), len(jar))
