"""Names of `molotov.session` with which packages make aiohttp sessions. Imports aiohttp."""

import inspect
from types import SimpleNamespace

from aiohttp import ClientRequest, ClientResponse, ClientSession, TCPConnector, TraceConfig

__all__ = [
    "ClientRequest",
    "ClientResponse",
    "ClientSession",
    "LoggedClientRequest",
    "LoggedClientResponse",
    "SessionTracer",
    "TCPConnector",
    "TraceConfig",
]


class LoggedClientResponse(ClientResponse):
    """A response with its request."""

    request = None


class LoggedClientRequest(ClientRequest):
    """A request that reports itself to a tracer before it is sent."""

    tracer = None

    async def send(self, *arguments, **keywords):
        tracer = self.tracer
        if tracer is not None:
            await tracer.send_event("sending_request", request=self)
        response = await super().send(*arguments, **keywords)
        response.request = self
        return response


class SessionTracer(TraceConfig):
    """Reports the requests of an aiohttp session to its listeners and to the script's `events`."""

    def __init__(self, loop, console, verbose, statsd):
        super().__init__()
        self.loop, self.console, self.verbose = loop, console, verbose
        self.context = SimpleNamespace(statsd=statsd)
        self._listeners = []
        self.on_request_end.append(self._answered)

    def add_listener(self, listener):
        """Adds a callable. It receives the name of each event and its details."""
        self._listeners.append(listener)

    async def send_event(self, event, **details):
        """Reports an event to all listeners, in the order in which they were added."""
        from molotov import api

        for listener in [*self._listeners, *api._LISTENERS]:
            told = listener(event, session=self, **details)
            if inspect.isawaitable(told):
                await told

    async def _answered(self, session, trace_config_ctx, params):
        request = getattr(params.response, "request", None)
        await self.send_event("response_received", response=params.response, request=request)
