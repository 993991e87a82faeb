"""Fixtures of the run, of each worker, and of its session: `molotov -w 2 -r 3 fixtures.py`."""

import os

import molotov

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")


@molotov.global_setup()
def begin(args):
    molotov.set_var("tenant", "acme")


@molotov.setup()
async def worker_options(worker_id, args):
    return {"headers": {"X-Tenant": molotov.get_var("tenant"), "X-Worker": str(worker_id)}}


@molotov.setup_session()
async def session_begins(worker_id, session):
    session.asked = 0


@molotov.scenario()
async def headers_arrive(session):
    async with session.get(URL + "/headers") as response:
        seen = await response.json()
        assert seen["x-tenant"] == "acme"
    session.asked += 1


@molotov.teardown_session()
async def session_ends(worker_id, session):
    print("worker %d has asked %d times" % (worker_id, session.asked))


@molotov.teardown()
def worker_ends(worker_id):
    print("worker %d is done" % worker_id)


@molotov.global_teardown()
def end():
    print("that was %s" % molotov.get_var("tenant"))
