"""Requests before the run, in `global_setup`: `molotov -w 2 -r 3 before_the_run.py`."""

import os

import molotov

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")


@molotov.global_setup()
def log_in(args):
    answer = molotov.json_request(URL + "/login", verb="POST")
    assert answer["status"] == 200
    molotov.set_var("token", answer["content"]["token"])
    assert molotov.request(URL + "/")["status"] == 200


@molotov.scenario()
async def profile(session):
    headers = {"Authorization": "Bearer " + molotov.get_var("token")}
    async with session.get(URL + "/me", headers=headers) as response:
        assert response.status == 200
