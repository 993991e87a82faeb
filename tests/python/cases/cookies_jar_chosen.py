# args: --single-run -c
# A jar forgets the cookies that a script chooses, and tells where each belongs.
import os
from molotov import scenario


@scenario()
async def one(session):
    url = os.environ["TARGET"].replace("127.0.0.1", "localhost")
    await session.get(url + "/set-cookie")
    session.cookie_jar.update_cookies({"by": "hand"})
    for cookie in sorted(session.cookie_jar, key=lambda cookie: cookie.key):
        print("SEEN", cookie.key, cookie.value, cookie["domain"], cookie["path"], cookie["httponly"])
    chosen = min(cookie.key for cookie in session.cookie_jar if cookie["domain"])
    session.cookie_jar.clear(lambda cookie: cookie.key == chosen)
    print("SEEN", sorted(cookie.key for cookie in session.cookie_jar))
    session.cookie_jar.clear_domain("elsewhere.test")
    print("SEEN", len(session.cookie_jar))
    session.cookie_jar.clear_domain("localhost")
    print("SEEN", sorted(cookie.key for cookie in session.cookie_jar))
    async with session.get(url + "/cookies") as response:
        print("SEEN", await response.json())
