"""Scenarios at a rate, from a `molotov.json`: `molotov --config rate.json steady`."""

import os

from molotov import scenario

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")


@scenario()
async def freezing(session):
    async with session.get(URL + "/freezing") as response:
        assert response.status == 200


@scenario()
async def home(session):
    async with session.get(URL + "/") as response:
        assert response.status == 200
