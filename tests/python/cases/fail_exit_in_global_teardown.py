# args: --single-run -c
# sys.exit() in global_teardown gives the exit code.
import sys
from molotov import scenario, global_setup, global_teardown

@global_setup()
def init(args):
    print("SEEN global_setup")
    leave("global_setup")

@scenario()
async def one(session):
    print("SEEN one")

@global_teardown()
def finish():
    print("SEEN global_teardown")
    leave("global_teardown")

def leave(fixture):
    if fixture == "global_teardown":
        sys.exit(3)
