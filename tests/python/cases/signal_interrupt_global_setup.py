# args: --single-run -c
# SIGINT, up to three times if it interrupts nothing, while the loop waits for an answer in global_setup.
import asyncio
import os
import signal
import threading
import warnings
from urllib.parse import urlsplit
from molotov import scenario, global_setup, global_teardown

warnings.simplefilter("ignore")
LOOP = asyncio.get_event_loop()
INTERRUPTED = threading.Event()

def interrupt():
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGINT)
        if INTERRUPTED.wait(3):
            return

async def endless():
    address = urlsplit(os.environ["TARGET"])
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n")
    await reader.readuntil(b"part")
    threading.Thread(target=interrupt).start()
    await reader.readuntil(b"never")

@global_setup()
def init(args):
    try:
        LOOP.run_until_complete(endless())
    except BaseException:
        print("SEEN interrupted", flush=True)
        INTERRUPTED.set()
        raise

@scenario()
async def one(session):
    print("SEEN never")

@global_teardown()
def finish():
    print("SEEN global_teardown")
