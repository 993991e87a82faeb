# args: --single-run -c
# A jar drops cookies of bare addresses; the response has them all the same.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"]
    async with session.get(url + "/set-cookie") as response:
        for name, morsel in sorted(response.cookies.items()):
            print("SEEN", name, morsel.value, morsel["path"], morsel["max-age"], morsel["httponly"])
        print("SEEN", response.headers.getall("set-cookie"))
    async with session.get(url + "/cookies") as response:
        print("SEEN", await response.json(), len(session.cookie_jar))
    session.cookie_jar.update_cookies({"by": "hand"})
    async with session.get(url + "/cookies") as response:
        print("SEEN", await response.json())
    session.cookie_jar.clear()
    async with session.get(url + "/cookies") as response:
        print("SEEN", await response.json())
