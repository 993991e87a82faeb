from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, final

from aiohttp import (
    ClientRequest as ClientRequest,
    ClientResponse as ClientResponse,
    ClientSession as ClientSession,
    TCPConnector as TCPConnector,
    TraceConfig as TraceConfig,
)

from molotov._arguments import Args
from molotov._statsd import Client

@final
class Context:
    @property
    def worker_id(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def args(self) -> Args: ...
    @property
    def statsd(self) -> Client | None: ...
    def attach(self, name: str, value: object) -> None: ...
    # Scripts attach what they like.
    def __getattr__(self, name: str) -> Any: ...
    def __setattr__(self, name: str, value: Any, /) -> None: ...

class LoggedClientRequest(ClientRequest):
    tracer: SessionTracer | None

class LoggedClientResponse(ClientResponse):
    request: LoggedClientRequest | None

class SessionTracer(TraceConfig):
    loop: Any
    console: Any
    verbose: int
    context: SimpleNamespace
    def __init__(self, loop: Any, console: Any, verbose: int, statsd: Any) -> None: ...
    def add_listener(self, listener: Callable[..., object]) -> None: ...
    async def send_event(self, event: str, **details: Any) -> None: ...

def get_context(session: object) -> Context: ...
def get_eventer(session: object) -> SessionTracer | None: ...
