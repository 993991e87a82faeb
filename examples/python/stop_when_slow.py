"""An extension that stops the run when responses take too long: `molotov -d 60 --use-extension stop_when_slow.py slow.py`."""

import time

import molotov
from molotov import util

LIMIT = 0.001
STARTED = {}


@molotov.events()
async def watch(event, **info):
    if event == "sending_request":
        STARTED[info["request"]] = time.perf_counter()
    elif event == "response_received":
        took = time.perf_counter() - STARTED.pop(info["request"])
        if took > LIMIT and not util.is_stopped():
            util.stop("an answer took %.0f ms" % (took * 1000))
            print("the run is stopped: " + util.stop_reason())
