# args: --single-run -c
# Addresses with characters that need care.
import os
from molotov import scenario

@scenario()
async def one(session):
    for path in ("/echo?a=b c", "/echo?q=h\u00e9", "/echo?x=%C3%A9", "/echo?p=a+b", "/echo?p=a%2Bb", "/echo?j={\"a\":[1]}",
                 "/echo?e=", "/echo?", "/echo?a&b", "/echo?a=1#part", "/echo?u=http://x/y?z", "/echo?p=100%",
                 "/echo?l=a,b;c", "/echo?t=~-_.!*'()", "/echo?s=a%2Fb"):
        async with session.get(os.environ["TARGET"] + path) as response:
            print("SEEN", (await response.json())["target"], "|", response.url.raw_path_qs, response.url.fragment)
