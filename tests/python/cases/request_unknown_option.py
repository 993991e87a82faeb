# args: --single-run -c
# An option that no request knows.
import os
from molotov import scenario

@scenario()
async def one(session):
    try:
        await session.get(os.environ["TARGET"] + "/", no_such_option=1)
    except TypeError as error:
        print("SEEN TypeError", "no_such_option" in str(error))
    try:
        await session.get()
    except TypeError as error:
        print("SEEN TypeError")
