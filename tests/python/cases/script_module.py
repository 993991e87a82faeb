# args: --single-run -c
# What the script is to itself.
import os
import sys
from molotov import scenario

print("SEEN", __name__, os.path.basename(__file__), os.path.isabs(__file__))
print("SEEN", os.path.basename(os.getcwd()), os.path.basename(sys.path[0]))

@scenario()
async def one(session):
    print("SEEN", one.__module__, one.__name__, one.__qualname__)
    print("SEEN", globals()["__name__"], one.__doc__)
