"""Names, weights and delays of scenarios: `molotov -w 2 -r 3 slow.py`."""

import os

from molotov import scenario

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")


@scenario(weight=98.7, delay=0.01, name="a slow page")
async def slow(session):
    async with session.get(URL + "/slow") as response:
        assert response.status == 200


@scenario(weight=0)
async def switched_off(session):
    raise AssertionError("a weight of 0 is never picked")
