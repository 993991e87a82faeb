"""A load test. To run it with 200 workers for a minute, use `molotov -w 200 -d 60 loadtest.py`."""

import os
import time

import molotov

# The service to test. To test another one, use `SERVICE=https://... molotov loadtest.py`.
SERVICE = os.environ.get("SERVICE", "http://127.0.0.1:8080")


@molotov.global_setup()
def wait_for_service(args):
    """Runs once before the workers start, and waits until the service responds. This is a plain function."""
    started = time.monotonic()
    announced = False
    while True:
        try:
            molotov.request(SERVICE)
            return
        except OSError:  # such as a refused connection; an invalid URL raises another exception
            if time.monotonic() - started > 20:
                raise
            if not announced:
                print("Waiting for %s; to start the example service, run `{{service}}` in another terminal" % SERVICE, flush=True)
                announced = True
            time.sleep(0.1)


@molotov.setup()
async def worker_starts(worker_id, args):
    """Runs once for each worker. Returns the options of its session, such as headers for all requests."""
    return {"headers": {"X-Tested-By": "molotov"}}


@molotov.scenario(weight=40)
async def read(session):
    """A weight of 40 of 100: four scenarios in ten are this one."""
    async with session.get(SERVICE) as response:
        assert response.status == 200
        assert (await response.json())["result"] == "OK"


@molotov.scenario(weight=60)
async def write(session):
    """Six scenarios in ten are this one."""
    async with session.post(SERVICE, json={"OK": 1}) as response:
        assert response.status == 200
