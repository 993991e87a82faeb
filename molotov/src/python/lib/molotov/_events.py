"""Requests as listeners see them."""

from molotov._types import changeable, decoded, URL


class EventRequest:
    """A request as listeners see it."""

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
        """The headers, if a listener has changed them."""
        now = list(self.headers.items())
        if now == self._told:
            return None
        self._told = now
        return [(name.encode("latin-1"), str(value).encode("utf-8")) for name, value in now]

    def is_ssl(self):
        return self.url.scheme == "https"

    def __repr__(self):
        return "<ClientRequest %s %s>" % (self.method, self.url)
