# args: -r 2 -c
# Every fixture, in the order of its call.
import os
from molotov import (scenario, setup, setup_session, teardown_session,
                     teardown, global_setup, global_teardown)

@global_setup()
def init(args):
    print("SEEN global_setup", args.max_runs)

@setup()
async def prepare(worker_id, args):
    print("SEEN setup", worker_id, args.workers)
    return {}

@setup_session()
async def opened(worker_id, session):
    print("SEEN setup_session", worker_id, session.closed)

@scenario()
async def one(session):
    print("SEEN scenario")

@teardown_session()
async def closing(worker_id, session):
    print("SEEN teardown_session", worker_id, session.closed)

@teardown()
def end(worker_id):
    print("SEEN teardown", worker_id)

@global_teardown()
def finish():
    print("SEEN global_teardown")
