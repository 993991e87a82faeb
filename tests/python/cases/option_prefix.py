# args: {script} --max 2 --work=2 -c
# Prefixes of long options, values after "=", the script first.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN run")
