#!/usr/bin/env python3
"""`molotov.run.run` and `python -m molotov`, as other packages and tests use them. Requires the wheel."""
import argparse
import collections
import io
import os
import subprocess
import sys
import tempfile

import molotov
from molotov import api, util
from molotov.run import main, run

SCRIPT = """
import molotov

SEEN = molotov.get_var("seen")

@molotov.global_setup()
def init(args):
    SEEN.append(getattr(args, "mine", None))

@molotov.setup()
async def options(worker_id, args):
    assert not getattr(args, "broken", False)
    return {}

@molotov.scenario()
async def one(session):
    SEEN.append(molotov.get_context(session).step)
    assert molotov.get_context(session).step != 3
"""


def given(**options):
    """Options as packages pass them: attributes of a class. Some are unknown, and many are missing."""
    args = collections.namedtuple("args", "")
    defaults = {"force_shutdown": False, "ramp_up": 0.0, "verbose": 0, "quiet": True, "exception": False, "processes": 1,
                "debug": False, "workers": 2, "console": True, "statsd": False, "single_mode": None, "duration": 9999,
                "max_runs": 3, "delay": 0.0, "sizing": False, "sizing_tolerance": 0.0, "console_update": 0,
                "use_extension": [], "fail": None, "force_reconnection": False, "scenario": os.path.abspath("loadtest.py"),
                "disable_dns_resolve": False, "single_run": False}
    for name, value in {**defaults, **options}.items():
        setattr(args, name, value)
    return args


def exits_with(code, call):
    try:
        call()
    except SystemExit as error:
        assert error.code == code, error.code
    else:
        raise AssertionError("it does not exit")


with tempfile.TemporaryDirectory() as directory:
    os.chdir(directory)
    sys.path.insert(0, directory)
    for name in ("loadtest.py", "by_name.py"):
        with open(name, "w") as script:
            script.write(SCRIPT)
    seen = []
    molotov.set_var("seen", seen)

    counts = run(given(mine=7))
    assert (counts["OK"], counts["FAILED"], counts["MAX_WORKERS"]) == (4, 2, 2), counts
    assert (counts["SETUP_FAILED"], counts["SESSION_SETUP_FAILED"], counts["REACHED"]) == (0, 0, 0), counts
    assert seen == [7, 1, 1, 2, 2, 3, 3] or sorted(seen[1:]) == [1, 1, 2, 2, 3, 3], seen

    # A module that was imported before the run, with what it has registered.
    import by_name

    util._STOP, util._STOP_WHY, util._TIMER = False, [], None
    stream = io.StringIO()
    counts = run(given(scenario="by_name", quiet=False, workers=1), stream=stream)
    assert counts["OK"] == 2 and stream.getvalue() == "SUCCESSES: 2 | FAILURES: 1\n", (counts, stream.getvalue())
    # A module that is loaded again registers again. Clear the collections first, by the original's names.
    api._SCENARIO.clear()
    api._FIXTURES.clear()
    assert run(given(scenario=os.path.abspath("by_name.py"), workers=1))["OK"] == 2
    api._SCENARIO.clear()
    api._FIXTURES.clear()

    assert run(given(broken=True))["SETUP_FAILED"] == 1
    assert run(given(fail=1))["FAILED"] == 2
    exits_with(1, lambda: run(given(fail=1, quiet=False)))
    exits_with(1, lambda: run(given(scenario="nowhere")))
    assert main(argparse.Namespace(scenario="loadtest.py", max_runs=2, workers=1, quiet=True)) == 0
    assert main(["-q", "-r", "1", "loadtest.py"]) == 0

    module = [sys.executable, "-m", "molotov"]
    told = subprocess.run([*module, "--help"], capture_output=True, text=True, check=True).stdout
    assert "Usage: python -m molotov " in told, told
    told = subprocess.run([*module, "-c", "-r", "2", "loadtest.py"], capture_output=True, text=True)
    assert told.returncode == 1 and "'NoneType' object has no attribute 'append'" in told.stderr + told.stdout, told
print("started from programs")
