"""Rows of files: each worker is a user, and each order is placed once. `molotov -w 3 data.py` ends after the last order."""

import os

import molotov

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")

# A worker keeps its row until it ends. More than three workers share the three users.
users = molotov.data("users.csv")
# Each run of the scenario takes the next row. After the last one, the workers end.
orders = molotov.data("orders.jsonl", each="run", order="queue")


@molotov.setup_session()
async def log_in(worker_id, session):
    async with session.post(URL + "/shop/login", json=users.row()) as response:
        assert response.status == 200


@molotov.scenario()
async def buy(session):
    async with session.post(URL + "/cart", json=orders.row()) as response:
        assert response.status == 201
