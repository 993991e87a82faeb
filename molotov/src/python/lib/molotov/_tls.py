"""Converts TLS settings of aiohttp to options of the engine."""

import functools
import sys
from collections import namedtuple

from molotov import _core, _imports
from molotov._aiohttp import imported, Unsupported

# Whether certificates and names are verified, whether the system's authorities are trusted, other authorities as DER, a client
# certificate with its key as PEM, the SHA-256 of the only accepted certificate, and the only accepted version of TLS.
Tls = namedtuple("Tls", "verify check_hostname builtin_roots roots identity fingerprint only_version")

DEFAULT = Tls(True, True, True, (), None, None, None)
UNVERIFIED = DEFAULT._replace(verify=False)


class _Fingerprint:
    """Replaces aiohttp's class if aiohttp is not imported."""

    def __init__(self, fingerprint):
        if len(fingerprint) in (16, 20):
            raise ValueError("md5 and sha1 are insecure and not supported. Use sha256.")
        if len(fingerprint) != 32:
            raise ValueError("fingerprint has invalid length")
        self.fingerprint = fingerprint


def _is_fingerprint(value):
    return isinstance(value, (_Fingerprint, getattr(imported(), "Fingerprint", _Fingerprint)))


def _is_context(value):
    # Without the module, there are no contexts.
    ssl = sys.modules.get("ssl")
    return ssl is not None and isinstance(value, ssl.SSLContext)


def _contexts():
    # Imports `ssl`, which takes long. Most scripts do not use it.
    from molotov import _contexts

    return _contexts


def record_contexts():
    """Records what is set on SSL contexts, from now on."""
    _imports.after("ssl", lambda: _contexts().record())


def asked(keywords):
    """Returns the value of a request's or a connector's arguments for TLS: `True`, `False`, a context, or a fingerprint."""
    value = keywords.get("ssl")
    value = True if value is None else value
    others = (
        False if keywords.get("verify_ssl") is not None and not keywords["verify_ssl"] else None,
        keywords.get("ssl_context"),
        keywords.get("fingerprint"),
    )
    for other in others:
        if other is None:
            continue
        if value is not True:
            raise ValueError("verify_ssl, ssl_context, fingerprint and ssl parameters are mutually exclusive")
        value = other
    if isinstance(value, (bytes, bytearray)):
        value = _Fingerprint(bytes(value))
    if not isinstance(value, bool) and not _is_context(value) and not _is_fingerprint(value):
        raise TypeError("ssl should be SSLContext, bool, Fingerprint or None, got {!r} instead.".format(value))
    return value


def tls_of(value, otherwise=DEFAULT):
    """Returns the settings for a value that `asked` has returned. `otherwise` has those of the session or the connector."""
    if value is True:
        return otherwise
    if _is_context(value):
        return _contexts().settings(value)._replace(fingerprint=otherwise.fingerprint)
    digest = value.fingerprint if _is_fingerprint(value) else otherwise.fingerprint
    return UNVERIFIED._replace(fingerprint=digest)


@functools.lru_cache(64)
def route(tls, server_name=None, proxy=None, login=None):
    """Returns the route of requests with these settings."""
    try:
        return _core.Route(tls, server_name, proxy, login)
    except ValueError as error:
        raise Unsupported("an SSL context that cannot be used here (%s)" % error) from error
