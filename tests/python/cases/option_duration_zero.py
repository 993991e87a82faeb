# args: -d 0 -r 2 -c
# -d 0: each worker runs one scenario. The original compares whole seconds, and runs until the next one begins.
import time
from molotov import scenario, global_setup, get_context

@global_setup()
def at_the_start_of_a_second(args):
    time.sleep(1 - time.time() % 1)
    print("SEEN", args.duration)

@scenario()
async def one(session):
    print("SEEN step", get_context(session).step)
