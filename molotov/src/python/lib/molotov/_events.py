"""Requests as listeners see them."""

from molotov._classes import passes_for
from molotov._types import changeable, decoded, http_version, multidict, RequestInfo, URL


class EventRequest:
    """A request as listeners see it."""

    __class__ = passes_for("ClientRequest")

    def __init__(self, method, url, original_url, headers, body):
        self.method = method
        self.url = URL(url)
        self.original_url = URL(original_url)
        self.headers = changeable(decoded(headers))
        self._told = list(self.headers.items())
        self.body = body
        self.host = self.url.host
        self.port = self.url.port

    def _changed(self):
        """Returns the headers if a listener has changed them, else `None`."""
        now = list(self.headers.items())
        if now == self._told:
            return None
        self._told = now
        return [(name.encode("latin-1"), str(value).encode("utf-8")) for name, value in now]

    def is_ssl(self):
        return self.url.scheme == "https"

    def keep_alive(self):
        return self.headers.get("Connection", "").lower() != "close"

    @property
    def version(self):
        return http_version(1, 1)

    @property
    def request_info(self):
        return RequestInfo(self.url, self.method, multidict(self.headers.items()), self.original_url)

    def __repr__(self):
        return "<ClientRequest %s %s>" % (self.method, self.url)
