"""Exceptions with aiohttp's names and bases, used if aiohttp is not imported."""

import asyncio


class ClientError(Exception):
    pass


class ClientResponseError(ClientError):
    def __init__(self, request_info, history, *, status=0, message="", headers=None):
        super().__init__(request_info, history)
        self.request_info = request_info
        self.history = history
        self.status = status
        self.message = message
        self.headers = headers

    def __str__(self):
        return "%s, message=%r, url=%r" % (self.status, self.message, getattr(self.request_info, "real_url", None))


class ContentTypeError(ClientResponseError):
    pass


class WSServerHandshakeError(ClientResponseError):
    pass


class TooManyRedirects(ClientResponseError):
    pass


class ClientConnectionError(ClientError):
    pass


class ClientOSError(ClientConnectionError, OSError):
    pass


class ClientConnectorError(ClientOSError):
    def __init__(self, connection_key, os_error):
        self._connection_key = connection_key
        self._os_error = os_error
        super().__init__(os_error.errno, os_error.strerror)

    @property
    def os_error(self):
        return self._os_error

    @property
    def host(self):
        return self._connection_key.host

    @property
    def port(self):
        return self._connection_key.port

    def __str__(self):
        return "Cannot connect to host %s:%s [%s]" % (self.host, self.port, self.strerror)


class ClientProxyConnectionError(ClientConnectorError):
    pass


class ClientSSLError(ClientConnectorError):
    pass


class ServerConnectionError(ClientConnectionError):
    pass


class ServerFingerprintMismatch(ServerConnectionError):
    def __init__(self, expected, got, host, port):
        super().__init__(expected, got, host, port)
        self.expected = expected
        self.got = got
        self.host = host
        self.port = port


class ServerDisconnectedError(ServerConnectionError):
    def __init__(self, message=None):
        self.message = message if message is not None else "Server disconnected"
        super().__init__(self.message)


class ServerTimeoutError(ServerConnectionError, asyncio.TimeoutError):
    pass


class ClientPayloadError(ClientError):
    pass


class InvalidURL(ClientError, ValueError):
    @property
    def url(self):
        return self.args[0]


def __getattr__(name):
    """Makes the exceptions that inherit from those of `ssl`, whose import takes long."""
    if name not in _OF_SSL:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    import ssl

    made = globals()[name] = type(name, (ClientSSLError, getattr(ssl, _OF_SSL[name])), {"__module__": __name__})
    return made


_OF_SSL = {"ClientConnectorSSLError": "SSLError", "ClientConnectorCertificateError": "SSLCertVerificationError"}
