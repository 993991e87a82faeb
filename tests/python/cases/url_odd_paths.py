# args: --single-run -c
# Paths with dots, blanks and letters beyond ASCII.
import os
from molotov import scenario

@scenario()
async def one(session):
    for path in ("", "/a b", "/h\u00e9", "/a/../b", "/a/./b", "//double", "/a%2Fb", "/semi;colon", "/at@sign", "/pl+us",
                 "/x%20y", "/trailing/", "/br[ack]et", "/pi|pe", "/ca^ret", "/back\\slash", "/%7Etilde", "/lower%c3%a9"):
        async with session.get(os.environ["TARGET"] + path) as response:
            print("SEEN", repr(path), response.status, response.url.raw_path, response.url.path)
