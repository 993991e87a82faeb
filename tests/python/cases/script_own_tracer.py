# args: --single-run -c
# A script makes an aiohttp session as molotov does, with what molotov.session has for it.
import os
from molotov import scenario
from molotov.session import ClientSession, LoggedClientRequest, LoggedClientResponse, SessionTracer, get_eventer

class Listener:
    async def __call__(self, event, **info):
        print("SEEN", event, info["session"].context.statsd, info["request"].method)

class Request(LoggedClientRequest):
    pass

@scenario()
async def one(session):
    tracer = SessionTracer(None, None, 0, None)
    tracer.add_listener(Listener())
    Request.tracer = tracer
    options = {"request_class": Request, "response_class": LoggedClientResponse, "trace_configs": [tracer]}
    async with ClientSession(**options) as own:
        print("SEEN", get_eventer(own) is tracer)
        async with own.get(os.environ["TARGET"] + "/echo") as response:
            print("SEEN", response.status, response.request.method)
