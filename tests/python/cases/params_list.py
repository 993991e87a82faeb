# args: --single-run -c
# A query from pairs, from text, and added to one that is there.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for params in ([("a", "1"), ("a", "2")], (("b", "x"),), "raw=1&more=a b", "a%20b=c", {"l": ["1", "2"]}):
        async with session.get(url, params=params) as response:
            print("SEEN", (await response.json())["target"])
    async with session.get(url + "?first=1", params={"second": "2"}) as response:
        print("SEEN", (await response.json())["target"])
    async with session.get(url + "?same=1", params={"same": "2"}) as response:
        print("SEEN", (await response.json())["target"])
    async with session.post(url, params={"a": "1"}, data={"b": "2"}) as response:
        print("SEEN", (await response.json())["target"], (await response.json())["body"])
