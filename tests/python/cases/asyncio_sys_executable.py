# args: --single-run -c
# sys.executable and the like are those of a Python.
import os
import subprocess
import sys
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN", subprocess.check_output([sys.executable, "-c", "print(1 + 1)"], text=True).strip())
    print("SEEN", type(sys.argv).__name__, sys.flags.optimize, sys.getdefaultencoding(), sys.stdout.encoding.lower())
    print("SEEN", os.path.basename(sys.executable).startswith("python"), sys.implementation.name)
