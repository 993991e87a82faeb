"""A value of each worker, such as its login: `molotov -w 2 -r 3 attach.py`."""

import os

import molotov

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")


class Account:
    def __init__(self, token):
        self.headers = {"Authorization": "Bearer " + token}
        self.visits = 0


@molotov.setup_session()
async def log_in(worker_id, session):
    async with session.post(URL + "/login") as response:
        account = Account((await response.json())["token"])
    molotov.get_context(session).attach("account", account)


@molotov.scenario()
async def profile(session):
    account = molotov.get_context(session).account
    async with session.get(URL + "/me", headers=account.headers) as response:
        assert (await response.json())["name"] == "ada"
    account.visits += 1
