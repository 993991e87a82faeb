"""The load test for the pictures: a shop in which the share FAILING of some requests fails."""
import os
from random import random

import molotov

SHOP = "http://127.0.0.1:8080"
FAILING = float(os.environ.get("FAILING", "0.02"))


@molotov.scenario(weight=60, delay=0.02)
async def browse(session):
    async with session.get(f"{SHOP}/") as response:
        assert response.status == 200
    number = int(random() * 100)
    async with session.get(f"{SHOP}/users/{number}") as response:
        assert (await response.json())["id"] == number


@molotov.scenario(weight=30, delay=0.05)
async def buy(session):
    async with session.post(f"{SHOP}/cart", json={"item": "tea", "pieces": 2}) as response:
        assert response.status == 201
    if random() < 0.0005:
        print("a cart with tea was paid")


@molotov.scenario(weight=9, delay=0.3)
async def report(session):
    fail = "true" if random() < FAILING else "false"
    async with session.get(f"{SHOP}/flaky", params={"fail": fail}) as response:
        assert response.status == 200, f"the report answered {response.status}"


@molotov.scenario(weight=1, delay=0.5)
async def sign_in(session):
    if random() < 2 * FAILING:
        raise ValueError("no password is left for user 漢字")
    await session.post(f"{SHOP}/login", json={"user": "joe"})
