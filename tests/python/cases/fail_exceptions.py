# args: --single-run -c
# Every kind of failure of a scenario is one failure, and the next runs.
from molotov import scenario, events

@scenario()
async def a_assert(session):
    assert 1 == 2, "not equal"

@scenario()
async def b_bare(session):
    raise Exception

@scenario()
async def c_key(session):
    {}["nope"]

@scenario()
async def d_type(session):
    None + 1

@scenario()
async def e_own(session):
    class Own(Exception):
        def __str__(self):
            return "own words"
    raise Own(1, 2)

@scenario()
async def f_fine(session):
    print("SEEN fine")

@events()
async def listen(event, **info):
    if event == "scenario_failure":
        print("SEEN", info["scenario"]["name"], type(info["exception"]).__name__, str(info["exception"]))
