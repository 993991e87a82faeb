# args: --single-run -c
# What a scenario gets passes for aiohttp's own.
import functools
import os
import typing

import aiohttp
from aiohttp.abc import AbstractCookieJar
from molotov import events, scenario
from molotov.session import LoggedClientRequest, LoggedClientResponse


@functools.singledispatch
def kind(value):
    return "something else"


@kind.register
def _(value: aiohttp.ClientSession):
    return "a session"


@kind.register
def _(value: aiohttp.ClientResponse):
    return "a response"


@kind.register
def _(value: aiohttp.ClientRequest):
    return "a request"


@events()
async def listen(event, **info):
    if event == "sending_request":
        print("SEEN", event, kind(info["request"]), isinstance(info["request"], LoggedClientRequest))
    if event == "response_received":
        print("SEEN", event, kind(info["response"]), isinstance(info["response"], LoggedClientResponse))
        print("SEEN", event, kind(info["request"]), isinstance(info["response"].request, aiohttp.ClientRequest))


def checked(value, expected):
    if not isinstance(value, expected):
        raise TypeError("%r is not a %r" % (type(value), expected))
    return value


@scenario()
async def one(session: aiohttp.ClientSession) -> None:
    print("SEEN", kind(session), isinstance(session, (dict, str)), typing.get_type_hints(one)["session"].__name__)
    print("SEEN", session.__class__ is aiohttp.ClientSession, isinstance(session.cookie_jar, AbstractCookieJar))
    print("SEEN", isinstance(session.cookie_jar, aiohttp.CookieJar), isinstance(session.timeout, aiohttp.ClientTimeout))
    async with session.get(os.environ["TARGET"] + "/redirect/1") as response:
        print("SEEN", kind(response), response.__class__.__name__, [kind(hop) for hop in response.history])
        print("SEEN", isinstance(response.request_info, aiohttp.RequestInfo), isinstance(response.content, aiohttp.StreamReader))
        match response:
            case aiohttp.ClientResponse(status=200):
                print("SEEN matched")
        checked(response, aiohttp.ClientResponse)
    print("SEEN", kind(await session.get(os.environ["TARGET"] + "/")), kind(None))
