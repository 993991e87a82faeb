# args: --single-run -c
# A TaskGroup of requests, and one that fails (Python 3.11 and later).
# unordered: requests
import asyncio
import os
from molotov import scenario

@scenario()
async def one(session):
    if not hasattr(asyncio, "TaskGroup"):
        print("SEEN no TaskGroup")
        return
    async def ask(path):
        async with session.get(os.environ["TARGET"] + path) as response:
            response.raise_for_status()
            return response.status
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask("/status/20%d" % n)) for n in range(2)]
    print("SEEN", [task.result() for task in tasks])
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(ask("/slow?ms=5000"))
            group.create_task(ask("/status/500"))
    except Exception as error:
        print("SEEN", type(error).__name__, [type(e).__name__ for e in error.exceptions])
