# args: -p 2 -r 9 -c
# unordered: seen
# As util_stop, in two processes: each stops by itself.
import asyncio
from molotov import scenario, get_context, global_teardown, teardown
from molotov import util

@scenario()
async def one(session):
    step = get_context(session).step
    print("SEEN step", step, util.is_stopped(), util.stop_reason())
    if step == 3:
        util.stop()
        util.stop("enough")
        util.stop(why=3)
        await asyncio.sleep(0.05)
        print("SEEN", util.is_stopped(), util.stop_reason())

@teardown()
def end(wid):
    print("SEEN teardown", wid)

@global_teardown()
def finish():
    print("SEEN global_teardown", util.is_stopped(), util.stop_reason())
