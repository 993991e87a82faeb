# args: --single-run -c
# The second fixture of one kind is refused.
from molotov import scenario, setup, teardown, global_setup, setup_session, scenario_picker

async def prepare(worker_id, args):
    return {}

def plain(*args):
    pass

for decorator, function in ((setup, prepare), (setup_session, prepare),
                            (teardown, plain), (global_setup, plain)):
    decorator()(function)
    try:
        decorator()(function)
        print("SEEN", decorator.__name__, "accepted")
    except ValueError as error:
        print("SEEN", decorator.__name__, "ValueError")

@scenario()
async def one(session):
    print("SEEN run")
