"""A function chooses the next scenario: `molotov -w 2 -r 3 picker.py`."""

import os

from molotov import scenario, scenario_picker

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")
STEPS = ["look", "choose", "buy"]


@scenario_picker()
def in_order(worker_id, step_id):
    return STEPS[(step_id - 1) % len(STEPS)]


@scenario()
async def look(session):
    async with session.get(URL + "/") as response:
        assert response.status == 200


@scenario()
async def choose(session):
    async with session.get(URL + "/users/7") as response:
        assert (await response.json())["id"] == 7


@scenario()
async def buy(session):
    async with session.post(URL + "/cart", json={"item": 1}) as response:
        assert response.status == 201
