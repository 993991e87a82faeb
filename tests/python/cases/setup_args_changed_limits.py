# args: -r 9 -d 60 -p 2 -c
# unordered: seen
# A limit that global_setup takes away, a duration that it sets, and a delay, in two processes.
import sys
import time
from molotov import scenario, global_setup, teardown

BEGAN = time.monotonic()

@global_setup()
def init(args):
    args.max_runs = None
    args.duration = 1
    args.delay = 5

@scenario()
async def one(session):
    # In one write, which another process does not cut.
    sys.stdout.write("SEEN one\n")

@teardown()
def end(wid):
    sys.stdout.write("SEEN %s\n" % (time.monotonic() - BEGAN < 15))
