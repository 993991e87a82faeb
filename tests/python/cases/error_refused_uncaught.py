# args: --single-run -c
# Nobody listens, and nobody catches it: a failure told to the listener.
import socket
from molotov import scenario, events

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    PORT = probe.getsockname()[1]

@scenario()
async def one(session):
    async with session.get("http://127.0.0.1:%d/" % PORT) as response:
        print("SEEN never")

@events()
async def listen(event, **info):
    if event == "scenario_failure":
        print("SEEN", type(info["exception"]).__name__, info["wid"], info["exception"])
