# args: --single-run -p 2 -c
# unordered: seen requests
# As asyncio_loop_kept, with two processes.
import asyncio
import os
import sys
import warnings
from urllib.parse import urlsplit
import aiohttp
from molotov import scenario, global_setup, global_teardown

warnings.simplefilter("ignore")
LOOP = asyncio.get_event_loop()
TARGET = os.environ["TARGET"]
TOKENS = []

async def stream():
    address = urlsplit(TARGET)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.split(b"\r\n")[0]

async def subprocess():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(42)", stdout=asyncio.subprocess.PIPE)
    return await process.communicate()

async def login():
    async with aiohttp.ClientSession() as session:
        async with session.get(TARGET) as response:
            return (await response.json())["result"]

async def executor():
    return await LOOP.run_in_executor(None, lambda: "in a thread")

async def timer():
    return await asyncio.sleep(0.01, "slept")

def use(where):
    for work in (stream, subprocess, login, executor, timer):
        result = LOOP.run_until_complete(asyncio.wait_for(work(), 5))
        TOKENS.append(result)
        print("SEEN", where, work.__name__, result)

use("import")

@global_setup()
def init(args):
    use("global_setup")

@scenario()
async def one(session):
    async with session.get(TARGET, headers={"X-Tokens": str(len(TOKENS))}) as response:
        # In one write, which another process does not cut.
        sys.stdout.write("SEEN %d\n" % response.status)

@global_teardown()
def finish():
    use("global_teardown")
