# args: --single-run -c
# The namespace of options.
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    for name in ("scenario", "single_run", "single_mode", "config", "debug", "verbose", "workers", "ramp_up",
                 "sizing", "sizing_tolerance", "delay", "console_update", "processes", "duration",
                 "max_runs", "quiet", "exception", "fail", "console", "statsd", "statsd_address",
                 "uvloop", "use_extension", "force_shutdown"):
        value = getattr(args, name, "missing")
        if name == "scenario":
            value = value.split("/")[-1]
        print("SEEN", name, repr(value))
    return {}

@scenario()
async def one(session):
    pass
