# args: -p 2 -w 2 -r 2 -c
# unordered: seen
# Lines of JSON that other programs read from a pipe, from two processes.
import json
import sys
from molotov import scenario, get_context

@scenario()
async def one(session):
    context = get_context(session)
    # Each in one write, which another process does not cut.
    sys.stdout.write("SEEN %s\n" % json.dumps({"worker": context.worker_id, "step": context.step}))
    sys.stdout.write("SEEN first\nSEEN second\n")
