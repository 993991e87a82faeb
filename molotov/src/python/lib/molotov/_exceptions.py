"""Converts errors of the engine to aiohttp's exceptions."""

import asyncio
import re
from collections import namedtuple

from molotov._aiohttp import imported
from molotov._types import info_of, URL


class _Errors:
    """aiohttp's exceptions: its classes if it is imported, else ours with the same names and bases."""

    def __init__(self):
        self.made = None

    def __getattr__(self, name):
        aiohttp = imported()
        if aiohttp is None:
            try:
                import aiohttp
            except ImportError:
                return getattr(self._own(), name)
        found = getattr(aiohttp, name, None)
        return found if found is not None else getattr(self._own(), name)

    def _own(self):
        if self.made is None:
            from molotov import _errors

            self.made = _errors
        return self.made


errors = _Errors()


def exception(kind, message, url, connecting, reading, errno, causes):
    """Returns the exception that aiohttp raises for such an error."""
    if kind == "timeout":
        if connecting:
            return errors.ServerTimeoutError("Connection timeout to host %s" % url)
        if reading:
            return errors.ServerTimeoutError("Timeout on reading data from socket")
        error = asyncio.TimeoutError()
        # The text is empty, as aiohttp's is.
        error.__notes__ = [message]
        return error
    if kind in ("connect", "dns", "tls"):
        return _connector_error(kind, message, url, errno, causes)
    if kind == "closed":
        if errno is not None:
            return errors.ClientOSError(errno, _strerror(errno))
        return errors.ServerDisconnectedError()
    if kind == "body":
        return errors.ClientPayloadError("Response payload is not completed")
    if kind in ("decode", "too large"):
        return errors.ClientPayloadError(message)
    if kind == "redirect":
        return errors.TooManyRedirects(info_of(url), (), status=0, message=message)
    if kind == "builder":
        error = errors.InvalidURL(url if url is not None else message.split("`")[1] if "`" in message else message)
        # The text is aiohttp's.
        error.__notes__ = [message]
        return error
    if kind == "protocol":
        return errors.ClientResponseError(info_of(url), (), status=0, message=message)
    return errors.ClientError(message)


def _strerror(errno):
    import os

    return os.strerror(errno)


def _connector_error(kind, message, url, errno, causes):
    if errno in _OUT_OF_FILES:
        return _out_of_files(url, errno)
    parts = URL(url) if url else None
    https = bool(parts) and parts.scheme == "https"
    host = parts.host if parts else ""
    port = parts.port if parts else 0
    ConnectionKey = namedtuple("ConnectionKey", "host port is_ssl ssl proxy proxy_auth proxy_headers_hash")
    key = ConnectionKey(host, port, https, True, None, None, None)
    if kind == "tls":
        import ssl

        reason = causes[-1] if causes else message
        if "certificate" in reason.lower() or "issuer" in reason.lower():
            return errors.ClientConnectorCertificateError(key, ssl.SSLCertVerificationError(1, reason))
        return errors.ClientConnectorSSLError(key, ssl.SSLError(1, reason))
    if kind == "dns":
        name = getattr(imported(), "ClientConnectorDNSError", None) or errors.ClientConnectorError
        return name(key, OSError(errno or -2, "Name or service not known"))
    if errno is None:
        errno = 111
    text = "Connect call failed %r" % ((host, port),)
    return errors.ClientConnectorError(key, OSError(errno, text))


# EMFILE and ENFILE.
_OUT_OF_FILES = (24, 23)

# The scheme, the host and the port of a URL. Few runs need this pattern, so it is not compiled in advance.
_ORIGIN = r"(?:(\w+)://(?:[^/?#]*@)?)?\[?((?<=\[)[^\]]*|[^/:?#]*)\]?(?::(\d+))?"


def _out_of_files(url, errno):
    """Returns the error for a connection without a free file descriptor. Nothing can be imported now."""
    from molotov import _errors

    found = imported() or _errors
    scheme, host, port = re.match(_ORIGIN, url or "").groups()
    key = namedtuple("ConnectionKey", "host port is_ssl ssl")(host, int(port) if port else None, scheme == "https", True)
    return found.ClientConnectorError(key, OSError(errno, _strerror(errno) + "; raise the limit (ulimit -n)"))


def proxy_error(error, proxy):
    """Returns the exception for a proxy that cannot be reached."""
    key = namedtuple("ConnectionKey", "host port is_ssl ssl proxy")(proxy.host, proxy.port, proxy.scheme == "https", True, None)
    cause = OSError(error.os_error.errno, "Connect call failed %r" % ((proxy.host, proxy.port),))
    return errors.ClientProxyConnectionError(key, cause)


def wrong_fingerprint(expected, got, host, port):
    """Returns the exception for a server with another certificate."""
    return errors.ServerFingerprintMismatch(expected, got, host, port)


def half_body(response):
    """Returns the exception for an incomplete body."""
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        what = "TransferEncodingError: 400, message='Not enough data for satisfy transfer length header.'"
    else:
        what = "ContentLengthError: 400, message='Not enough data for satisfy content length header.'"
    return errors.ClientPayloadError("Response payload is not completed: <%s>" % what)


def released():
    """Returns the exception for reading a released body."""
    return errors.ClientConnectionError("Connection closed")


def wrong_content_type(response, stated):
    return errors.ContentTypeError(
        response.request_info,
        response.history,
        status=response.status if _is_recent() else 0,
        message="Attempt to decode JSON with unexpected mimetype: %s" % (stated or "").lower(),
        headers=response.headers,
    )


def no_events(response, message, is_status):
    """Returns the exception for a response whose body is not a stream of server-sent events."""
    kind = errors.ClientResponseError if is_status else errors.ContentTypeError
    return kind(
        response.request_info, response.history, status=response.status, message=message, headers=response.headers
    )


def _is_recent():
    """Returns whether the installed aiohttp adds the status to the error for a content type, as it does since 3.10."""
    aiohttp = imported()
    return aiohttp is None or not aiohttp.__version__.startswith(("3.7.", "3.8.", "3.9."))
