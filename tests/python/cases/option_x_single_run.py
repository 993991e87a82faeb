# args: --single-run -x -c
# -x with --single-run: the scenarios after the failure do not run.
from molotov import scenario

@scenario()
async def a_fine(session):
    print("SEEN a")

@scenario()
async def b_wrong(session):
    print("SEEN b")
    raise ValueError()

@scenario()
async def c_never(session):
    print("SEEN c")
