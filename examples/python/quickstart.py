"""Two scenarios with weights: `molotov -w 10 -d 5 quickstart.py`."""

import os

from molotov import scenario

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")


@scenario(weight=40)
async def checked(session):
    async with session.get(URL + "/") as response:
        assert response.status == 200
        assert (await response.json())["result"] == "OK"


@scenario(weight=60)
async def status_only(session):
    async with session.get(URL + "/") as response:
        assert response.status == 200
