"""What stands in for the connector of a session whose connections are the engine's."""

from molotov._aiohttp import _say_once, needed

# What scripts set to change a connector that exists.
_LIMITS = frozenset(("_force_close", "_keepalive_timeout", "_limit", "_limit_per_host", "_resolver", "_ssl"))


def make():
    """An aiohttp connector that opens no connections: its attributes can be read."""

    made = []

    class Connector(needed().TCPConnector):
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if made and name in _LIMITS:
                _say_once(
                    "`session.connector.%s` is set, which has no effect on the connections of this session: give a "
                    "connector among the options that `setup` returns" % name
                )

    Connector.__name__ = Connector.__qualname__ = "TCPConnector"
    # As the original's.
    connector = Connector(limit=None, ttl_dns_cache=None)
    made.append(connector)
    return connector
