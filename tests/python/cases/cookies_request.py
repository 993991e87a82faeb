# args: --single-run -c
# Cookies of one request do not stay.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/cookies"
    async with session.get(url, cookies={"one": "1", "two": "a b", "three": 'q"t'}) as response:
        print("SEEN", await response.json())
    async with session.get(url) as response:
        print("SEEN", await response.json())
    async with session.get(url, headers={"Cookie": "raw=yes"}) as response:
        print("SEEN", await response.json())
    async with session.get(url, headers={"Cookie": "raw=yes"}, cookies={"more": "1"}) as response:
        print("SEEN", await response.json())
