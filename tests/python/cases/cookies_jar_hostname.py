# args: --single-run -c
# A host with a name has its cookies kept, per worker.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"].replace("127.0.0.1", "localhost")
    async with session.get(url + "/set-cookie") as response:
        print("SEEN", response.status)
    async with session.get(url + "/cookies") as response:
        print("SEEN", await response.json())
    async with session.get(url + "/cookies", cookies={"shape": "square"}) as response:
        print("SEEN", await response.json())
    print("SEEN", sorted((c.key, c.value) for c in session.cookie_jar))
    print("SEEN", session.cookie_jar.filter_cookies(response.url).output(header="", sep=";"))
