"""Makes `isinstance(session, aiohttp.ClientSession)` true for our objects."""

from molotov._aiohttp import imported

# The classes of requests and responses in `molotov.session`, which packages use.
_LOGGED = {"ClientRequest": "LoggedClientRequest", "ClientResponse": "LoggedClientResponse"}


def class_of(own, name):
    """The `__class__` of an object of the class `own`: aiohttp's class of that name, where a script has imported aiohttp.

    `type()` tells the truth.
    """
    aiohttp = imported()
    found = getattr(aiohttp, name, None)
    if found is None:
        return own
    logged = _LOGGED.get(name)
    if logged is not None:
        from molotov import _tracing

        found = getattr(_tracing, logged)
    return found


def passes_for(name):
    """Returns the property `__class__` of a class that passes for aiohttp's class with that name."""
    return property(lambda self: class_of(type(self), name))
