# args: --single-run -c
# The loop of global_setup is the one the workers run on.
import asyncio
import warnings
from molotov import scenario, global_setup

warnings.simplefilter("ignore")
STATE = {}

@global_setup()
def init(args):
    STATE["loop"] = asyncio.get_event_loop()
    print("SEEN", STATE["loop"].is_running(), STATE["loop"].run_until_complete(asyncio.sleep(0, "ran")))

@scenario()
async def one(session):
    print("SEEN", asyncio.get_running_loop() is STATE["loop"], session.loop is STATE["loop"])
