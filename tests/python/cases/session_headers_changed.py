# args: --single-run -c
# The session's headers are changed and deleted, for every kind of request.
import os
from molotov import scenario, setup

TARGET = os.environ["TARGET"]

@setup()
async def prepare(worker_id, args):
    return {"headers": {"X-Given": "1", "X-Gone": "2", "Accept": "text/plain"}}

@scenario()
async def one(session):
    session.headers["X-Late"] = "3"
    del session.headers["X-Gone"]
    for options in ({}, {"expect100": True, "data": b"x"}, {"headers": {"X-Given": "own"}}):
        async with session.post(TARGET + "/echo", **options) as response:
            headers = (await response.json())["headers"]
            print("SEEN", sorted((name, value) for name, value in headers.items() if name.startswith(("x-", "accept"))
                                 and name != "accept-encoding"))
    session.headers.clear()
    async with session.get(TARGET + "/echo") as response:
        headers = (await response.json())["headers"]
        print("SEEN", sorted(name for name in headers if name.startswith("x-")), headers["accept"])
    session.headers["X-Later"] = "4"
    async with session.ws_connect(TARGET + "/ws") as ws:
        print("SEEN", ws.closed)
    async with session.get(TARGET + "/redirect/1") as response:
        print("SEEN", response.status)
