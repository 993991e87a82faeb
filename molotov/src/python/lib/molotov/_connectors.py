"""Converts connectors of aiohttp to options of the engine."""

import socket
import weakref
from types import SimpleNamespace

from molotov import _core
from molotov._aiohttp import imported, needed, Unsupported
from molotov._tls import asked, route, tls_of


def read(connector):
    """Returns the settings of a connector. Raises `Unsupported` if only aiohttp supports them."""
    aiohttp = imported()
    known = aiohttp is not None and (type(connector) is aiohttp.TCPConnector or getattr(connector, "_stands_in", False))
    if not known:
        raise Unsupported("a connector of the class %s" % type(connector).__name__)
    if getattr(connector, "_socket_factory", None) is not None:
        raise Unsupported("a connector with a `socket_factory`")
    if not _is_usual(connector._resolver, aiohttp):
        raise Unsupported("a connector with a resolver")
    host, port = connector._local_addr[:2] if getattr(connector, "_local_addr", None) else (None, 0)
    families = {0: None, int(socket.AF_INET): False, int(socket.AF_INET6): True}
    if port or int(connector._family) not in families:
        raise Unsupported("a connector with a `%s`" % ("local_addr" if port else "family"))
    timeout = connector._keepalive_timeout
    return SimpleNamespace(
        route=route(tls(connector)),
        permits=_permits(connector),
        keep_alive=not connector._force_close,
        keepalive_timeout=float(timeout) if isinstance(timeout, (int, float)) else float("inf"),
        only_ipv6=families[int(connector._family)],
        local_address=host,
    )


def tls(connector):
    """Returns the TLS settings of a connector."""
    return tls_of(asked({"ssl": connector._ssl}))


def _is_usual(resolver, aiohttp):
    if type(resolver) is aiohttp.ThreadedResolver:
        return True
    # A resolver of aiodns without options shares its channel with others.
    return type(resolver) is aiohttp.DefaultResolver and getattr(resolver, "_manager", None) is not None


def _permits(connector):
    """Returns the limits of a connector. The sessions that share it share them."""
    limits = (connector._limit_per_host or None, connector._limit or None)
    known = getattr(connector, "_molotov_permits", None)
    if known is None or known[0] != limits:
        known = connector._molotov_permits = (limits, _core.Permits(*limits))
    return known[1]


# The attributes by which scripts change an existing connector.
_CHANGEABLE = frozenset(("_force_close", "_keepalive_timeout", "_limit", "_limit_per_host", "_resolver", "_ssl"))


def standing_in(session):
    """A connector that represents the connections of a session. Assigning its attributes changes them."""
    owner = weakref.ref(session)
    made = []

    class Connector(needed().TCPConnector):
        _stands_in = True

        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if made and name in _CHANGEABLE and owner() is not None:
                owner()._connector = self

    Connector.__name__ = Connector.__qualname__ = "TCPConnector"
    # As in the original.
    connector = Connector(limit=None, ttl_dns_cache=None)
    made.append(connector)
    return connector
