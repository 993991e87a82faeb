# args: -w 3 -r 9 -d 60 -c
# unordered: seen
# What global_setup changes in args counts.
from molotov import scenario, global_setup, setup, get_context

@global_setup()
def init(args):
    args.workers = 2
    args.max_runs = 3
    args.own = "kept"

@setup()
async def begin(wid, args):
    print("SEEN setup", wid, args.workers, args.max_runs, args.duration, args.own)

@scenario()
async def one(session):
    context = get_context(session)
    print("SEEN", context.worker_id, context.step, context.args.max_runs)
