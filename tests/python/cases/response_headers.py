# args: --single-run -c
# Headers in every spelling, and those given more than once.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/headers") as response:
        headers = response.headers
        print("SEEN", headers["x-one"], headers["X-ONE"], headers.get("x-mixed"), "X-Mixed" in headers, "nope" in headers)
        print("SEEN", headers.getall("x-many"), headers["x-many"], headers.getall("nope", "default"))
        print("SEEN", headers.get("nope"), headers.get("nope", 1), headers.getone("X-Many"))
        print("SEEN", sorted(headers.keys()), len(headers))
        print("SEEN", sorted(headers.items())[:3])
        print("SEEN", [(k.decode(), v.decode()) for k, v in response.raw_headers][:2])
        for wrong in (lambda: headers["nope"], lambda: headers.__setitem__("a", "b")):
            try:
                wrong()
            except Exception as error:
                print("SEEN", type(error).__name__)
