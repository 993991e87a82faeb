# args: --single-run -c
# Request and response as the listener has them.
import os
from molotov import scenario, events

@scenario()
async def one(session):
    async with session.post(os.environ["TARGET"] + "/echo?a=1#part", data=b"body", headers={"X-Own": "1"}) as response:
        print("SEEN scenario", (await response.json())["body"])

@events()
async def listen(event, **info):
    if event == "sending_request":
        request = info["request"]
        print("SEEN", request.method, str(request.url), str(request.original_url), request.headers["x-own"])
        print("SEEN", request.host, request.port == request.url.port, request.headers.get("Content-Length"), request.is_ssl())
    elif event == "response_received":
        response = info["response"]
        print("SEEN", response.status, response.reason, response.method, str(response.url))
        print("SEEN", await response.text() != "", response.headers["Content-Type"])
