#!/usr/bin/env python3
"""Several runs in one process, as tests of load-test scripts start them. Requires the wheel."""
import asyncio
import os
import signal
import sys
import tempfile
import threading
import time

import molotov
from molotov.run import main

SCRIPT = """
import molotov
from molotov import util

@molotov.global_setup()
def init(args):
    molotov.set_var("runs", [])

@molotov.scenario()
async def one(session):
    molotov.get_var("runs").append((util.is_stopped(), util.stop_reason()))
    if len(molotov.get_var("runs")) == 3:
        util.stop("enough")

@molotov.global_teardown()
def finish():
    molotov.set_var("found", (molotov.get_var("runs"), util.is_stopped(), util.stop_reason()))
"""

WAITS = """
import asyncio
import molotov

@molotov.scenario()
async def one(session):
    molotov.set_var("waits", True)
    await asyncio.sleep(0.01)
"""


def run(*line):
    sys.argv = ["molotov", "-q", *line]
    code = main()
    assert code == 0, (line, code)


def interrupt():
    while not molotov.get_var("waits"):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


with tempfile.TemporaryDirectory() as directory:
    os.chdir(directory)
    for name, text in (("loadtest.py", SCRIPT), ("by_name.py", SCRIPT), ("waits.py", WAITS)):
        with open(name, "w") as script:
            script.write(text)
    before = sys.stdout, signal.getsignal(signal.SIGINT)
    for script in ("loadtest.py", "by_name", "by_name", "loadtest.py"):
        run("-r", "9", script)
        found = molotov.get_var("found")
        assert found == ([(False, [])] * 3, True, ["enough"]), (script, found)
        assert before == (sys.stdout, signal.getsignal(signal.SIGINT)), script
        assert asyncio.run(asyncio.sleep(0, "usable")) == "usable"

    # Ctrl-C ends a later run like the first. Afterwards, Python handles it again.
    for _ in range(2):
        molotov.set_var("waits", None)
        thread = threading.Thread(target=interrupt)
        thread.start()
        run("waits.py", "-d", "60")
        thread.join()
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
    except KeyboardInterrupt:
        print("several runs in one process")
