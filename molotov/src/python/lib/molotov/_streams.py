"""Server-sent events."""

from molotov import _core

# For annotations.
ServerSentEvent = _core.ServerSentEvent


def server_sent_events(response):
    """Returns the server-sent events of a response, for `async for`.

    An event has the attributes `event`, `data`, `id`, `retry`, `received_at` and `since_start`, and the method `json()`. The time
    to the first event and the time between events have rows in the results. They count from when an event arrived, not from when
    the script takes it.

    `response` is a response of a session of Molotov.
    """
    if not isinstance(response, _core.ClientResponse):
        raise TypeError(
            "server_sent_events() takes a response of Molotov's session, not %r; read `response.content` of a session of aiohttp"
            % type(response).__name__
        )
    return _core.server_sent_events(response)
