# args: --use-extension support/extension_one.py --single-run -c
# An extension with a listener and a fixture.
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN run")
