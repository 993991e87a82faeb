# args: --single-run -c
# The session of an event has a context.
import os
import molotov

@molotov.events()
async def listen(event, **info):
    if event in ("sending_request", "response_received"):
        print("SEEN", event, info["session"].context.statsd)

@molotov.scenario()
async def one(session):
    await session.get(os.environ["TARGET"] + "/")
