"""The soak's load test as a script: counts outcomes and prints them as JSON at the end."""

import asyncio
import collections
import json
import os

import aiohttp

import molotov

URL = os.environ["SOAK_URL"]
SEEN = collections.Counter()
EVENTS = collections.Counter()


@molotov.events()
async def count(event, **info):
    EVENTS[event] += 1
    if event == "sending_request":
        # Kept by the request, so that those that never get a response leave nothing behind.
        info["request"].sent = EVENTS[event]
    elif event == "response_received":
        assert info["request"].sent > 0


def outcome(error):
    if isinstance(error, aiohttp.TooManyRedirects):
        # Once in millions of requests; each of the chain was sent and is counted in `report`.
        return None
    if isinstance(error, asyncio.TimeoutError):
        return "timeout"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "closed"
    if isinstance(error, aiohttp.ClientOSError):
        return "closed"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "body" if "not completed" in str(error) else "decode"
    if isinstance(error, aiohttp.ClientResponseError):
        return "status" if error.status == 500 else "protocol"
    raise error


@molotov.scenario()
async def soak(session):
    try:
        async with session.post(URL, data=b"x", timeout=float(os.environ["SOAK_TIMEOUT"])) as response:
            response.raise_for_status()
            await response.read()
    except Exception as error:
        seen = outcome(error)
        if seen:
            SEEN[seen] += 1
        raise
    SEEN["ok"] += 1


@molotov.global_teardown()
def report():
    # Each request of a scenario was sent once, and once more for each redirect.
    SEEN["redirect"] = EVENTS["sending_request"] - sum(SEEN.values())
    print("SOAK " + json.dumps({"seen": SEEN, "events": EVENTS}))
