# args: --single-run -c
# Bodies packed by the client.
import gzip
import os
import zlib
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for compress in (True, "deflate", "gzip"):
        async with session.post(url, data=b"a" * 100, compress=compress) as response:
            echo = await response.json()
            body = echo["body"].encode("latin-1")
            unpacked = gzip.decompress(body) if echo["headers"]["content-encoding"] == "gzip" else zlib.decompress(body)
            print("SEEN", compress, echo["headers"]["content-encoding"], len(unpacked),
                  echo["headers"].get("transfer-encoding"))
