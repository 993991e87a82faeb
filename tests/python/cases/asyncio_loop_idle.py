# args: --single-run -c
# A loop that waits outside of a run needs no CPU.
import asyncio
import os
import time
import warnings
from urllib.parse import urlsplit
from molotov import scenario, global_setup, global_teardown

warnings.simplefilter("ignore")
LOOP = asyncio.get_event_loop()

async def slow():
    address = urlsplit(os.environ["TARGET"])
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET /slow?ms=600 HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.split(b"\r\n")[0]

def use(where):
    before = time.process_time()
    answer = LOOP.run_until_complete(slow())
    print("SEEN", where, answer, time.process_time() - before < 0.3)

use("import")

@global_setup()
def init(args):
    use("global_setup")

@scenario()
async def one(session):
    pass

@global_teardown()
def finish():
    use("global_teardown")
