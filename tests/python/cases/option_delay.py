# args: --delay 0.3 -r 2 -c
# --delay and a scenario's own delay are slept.
import time
from molotov import scenario, global_teardown

TIMES = []

@scenario(delay=0.3)
async def one(session):
    TIMES.append(time.monotonic())

@global_teardown()
def told():
    print("SEEN", len(TIMES), TIMES[1] - TIMES[0] >= 0.55)
