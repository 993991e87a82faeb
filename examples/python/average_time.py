"""An extension that prints the average response time: `molotov -w 2 -r 3 --use-extension average_time.py quickstart.py`."""

import time

import molotov

STARTED = {}
TIMES = []


@molotov.events()
async def measure(event, **info):
    if event == "sending_request":
        STARTED[info["request"]] = time.perf_counter()
    elif event == "response_received":
        TIMES.append(time.perf_counter() - STARTED.pop(info["request"]))


@molotov.global_teardown()
def tell():
    print("average of %d responses: %.2f ms" % (len(TIMES), sum(TIMES) / len(TIMES) * 1000))
