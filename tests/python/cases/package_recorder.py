# args: -r 2 -c
# How a package records requests: annotations with the names of molotov.session, a decorator of its own, contexts of events.
import functools
import os

import molotov
import molotov.util
from aiohttp import ClientResponse
from molotov.session import ClientSession, LoggedClientRequest, SessionTracer, get_context

RECORDS = []


class Recorded:
    def __init__(self, weight: int = 1) -> None:
        self.weight = weight

    def __call__(self, function):
        @functools.wraps(function)
        async def recorded(session: ClientSession):
            get_context(session).scenario_name = function.__name__
            return await function(session)

        return molotov.scenario(self.weight, 0.0, function.__name__)(recorded)


def sending(session: ClientSession, request: LoggedClientRequest) -> None:
    request.started_at = 1


def received(session: SessionTracer, response: ClientResponse, request: LoggedClientRequest) -> None:
    context = session.context
    RECORDS.append((context.scenario_name, context.worker_id, request.started_at, response.status, str(request.url)[-5:]))


@molotov.events()
async def listen(event, **info):
    if event == "sending_request":
        sending(info["session"], info["request"])
    elif event == "response_received":
        received(info["session"], info["response"], info["request"])
    elif event == "scenario_success" and len(RECORDS) == 2:
        molotov.util.stop(RECORDS[-1])


@Recorded(weight=1)
async def one(session: ClientSession):
    async with session.get(os.environ["TARGET"] + "/echo") as response:
        assert response.status == 200


@molotov.global_teardown()
def finish():
    print("SEEN", RECORDS, molotov.util.stop_reason())
