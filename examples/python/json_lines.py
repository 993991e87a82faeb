"""Writes successes and failures as lines of JSON to the file that LINES names: `LINES=out.jsonl molotov -r 6 json_lines.py`."""

import json
import os

import molotov

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")
LINES = open(os.environ.get("LINES", os.devnull), "a", buffering=1)


@molotov.events()
async def write(event, **info):
    if event in ("scenario_success", "scenario_failure"):
        line = {"event": event, "scenario": info["scenario"]["name"], "worker": info["wid"]}
        if "exception" in info:
            line["why"] = str(info["exception"])
        LINES.write(json.dumps(line) + "\n")


@molotov.scenario()
async def flaky(session):
    # Every third one is made to fail.
    fail = molotov.get_context(session).step % 3 == 0
    async with session.get(URL + "/flaky", params={"fail": "true"} if fail else None) as response:
        assert response.status == 200, "the service is not available"
