# Run by way of a configuration file.
import os
from molotov import scenario, global_setup


@global_setup()
def show(args):
    print("SEEN", args.max_runs, bool(args.single_run), args.workers, getattr(args, "own_key", "missing"))
    print("SEEN env", os.environ.get("COMPARE_SETTING"))


@scenario()
async def one(session):
    print("SEEN configured")
