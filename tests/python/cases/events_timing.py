# args: -w 50 -r 2 -c
# unordered: seen requests
# The documentation's example: the time of each request, kept by the request.
import os
import time
from molotov import scenario, events, global_teardown

STARTED = {}
TIMES = []

@events()
async def record_time(event, **info):
    request = info.get("request")
    if event == "sending_request":
        STARTED[request] = time.time()
    elif event == "response_received":
        TIMES.append(time.time() - STARTED[request])

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"]) as response:
        assert response.status == 200

@global_teardown()
def average():
    print("SEEN", len(TIMES), len(STARTED), 0 < sum(TIMES) / len(TIMES) < 30)
