# args: --single-run -c
# Small helpers.
import time
from molotov import scenario
from molotov.util import now, get_timer, set_timer, is_stopped, cancellable_sleep

@scenario()
async def one(session):
    print("SEEN", type(now()).__name__, abs(now() - time.time()) < 5, is_stopped())
    print("SEEN", type(get_timer()).__name__, await cancellable_sleep(0.01))
