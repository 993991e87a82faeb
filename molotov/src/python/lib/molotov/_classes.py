"""The classes that our objects pass for: `isinstance(session, aiohttp.ClientSession)` is true, as in aiohttp."""

from molotov._aiohttp import imported

# In `molotov.session`: the classes of requests and responses that packages know.
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
    """The property `__class__` of a class that passes for aiohttp's class of that name."""
    return property(lambda self: class_of(type(self), name))
