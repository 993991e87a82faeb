# args: --single-run -c
# Headers of one request, in every form.
import os
from multidict import CIMultiDict
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for headers in ({"X-One": "1"}, [("X-One", "1"), ("X-One", "2")], CIMultiDict([("x-one", "3")]),
                    {"User-Agent": "mine"}, {"Accept": "text/html"}, {"Host": "example.org"}, {"X-Empty": ""},
                    {"Content-Length": "0"}, {"Connection": "close"}):
        async with session.get(url, headers=headers) as response:
            seen = (await response.json())["headers"]
            print("SEEN", {k: v for k, v in seen.items() if k not in ("accept-encoding", "user-agent", "host")})
    async with session.get(url, headers={"User-Agent": "mine"}) as response:
        print("SEEN", (await response.json())["headers"]["user-agent"])
