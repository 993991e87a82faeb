"""A load test. `molotov -w 200 -d 60 loadtest.py` runs it with 200 workers for a minute."""

import os
import time

import molotov

# The service to test; `SERVICE=https://... molotov loadtest.py` names another one.
SERVICE = os.environ.get("SERVICE", "http://127.0.0.1:8080")


@molotov.global_setup()
def wait_for_service(args):
    """Runs once, before the workers start: waits until the service answers. It is no coroutine."""
    begun = time.monotonic()
    announced = False
    while True:
        try:
            molotov.request(SERVICE)
            return
        except OSError:  # such as a refused connection; a mistake in the URL ends the run at once
            if time.monotonic() - begun > 20:
                raise
            if not announced:
                print("Waiting for %s; in another terminal, `{{service}}` starts the service of this directory" % SERVICE,
                      flush=True)
                announced = True
            time.sleep(0.1)


@molotov.setup()
async def worker_starts(worker_id, args):
    """Runs once for each worker: options of its session, such as headers of all its requests."""
    return {"headers": {"X-Tested-By": "molotov"}}


@molotov.scenario(weight=40)
async def read(session):
    """Of ten picks, four are this scenario."""
    async with session.get(SERVICE) as response:
        assert response.status == 200
        assert (await response.json())["result"] == "OK"


@molotov.scenario(weight=60)
async def write(session):
    """And six are this one."""
    async with session.post(SERVICE, json={"OK": 1}) as response:
        assert response.status == 200
