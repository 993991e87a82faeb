# args: --single-run -c
# A scenario of no weight is not there.
from molotov import scenario

@scenario(weight=0)
async def never(session):
    print("SEEN never")

@scenario(weight=0.3)
async def always(session):
    print("SEEN always")
