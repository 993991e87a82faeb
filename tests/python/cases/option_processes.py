# args: -p 2 -w 2 -r 2 -c
# unordered: seen
# Two processes: fixtures once or in each; a variable set before is inherited.
# Processes share stdout: each line is written whole, which print() does not do.
import os
import sys
from molotov import scenario, global_setup, global_teardown, set_var, get_var, teardown

PARENT = os.getpid()

def tell(*words):
    sys.stdout.write(" ".join(map(str, ("SEEN",) + words)) + "\n")

@global_setup()
def init(args):
    tell("global_setup")
    set_var("from", "parent")

@scenario()
async def one(session):
    tell(get_var("from"), os.getpid() == PARENT)

@teardown()
def end(worker_id):
    tell("teardown", worker_id)

@global_teardown()
def finish():
    tell("global_teardown", os.getpid() == PARENT)
