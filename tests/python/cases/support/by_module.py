# A script named as a file and as a module.
import os
from molotov import scenario
import helper_module

print("SEEN", __name__, os.path.basename(__file__), helper_module.VALUE)


@scenario()
async def one(session):
    print("SEEN run")
