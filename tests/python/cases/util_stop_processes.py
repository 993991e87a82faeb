# args: -p 2 -r 9 -c
# unordered: seen
# As util_stop, in two processes: each stops by itself.
import sys
from molotov import scenario, get_context, global_teardown
from molotov import util

def seen(*values):
    # In one write, which another process does not cut.
    sys.stdout.write("SEEN %s\n" % " ".join(map(str, values)))

@scenario()
async def one(session):
    step = get_context(session).step
    seen(step, util.is_stopped(), util.stop_reason())
    if step == 3:
        util.stop("enough")

@global_teardown()
def finish():
    seen("global_teardown", util.is_stopped(), util.stop_reason())
