# args: --single-run -c
# A decorated function can be called by another one.
from molotov import scenario

@scenario(weight=0)
async def helper(session):
    print("SEEN helper", helper.__name__, session is not None)
    return 42

@scenario()
async def caller(session):
    print("SEEN answer", await helper(session))
