"""Listening to events: `molotov -w 2 -r 3 events.py`."""

import collections
import os

import molotov

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")
HEARD = collections.Counter()


@molotov.events()
async def count(event, **info):
    HEARD[event] += 1


@molotov.events()
async def name_failures(event, **info):
    if event == "scenario_failure":
        print("worker %d, %s: %r" % (info["wid"], info["scenario"]["name"], info["exception"]))


@molotov.scenario()
async def home(session):
    async with session.get(URL + "/") as response:
        assert response.status == 200


@molotov.global_teardown()
def tell():
    for event, times in sorted(HEARD.items()):
        if event != "current_workers":
            print(event, times)
