"""What belongs to a worker's session."""

from molotov import _core


def get_context(session):
    """The context of the worker whose session this is: its options, number and step, and what scripts attach."""
    try:
        return session._molotov_context
    except AttributeError:
        return _core.current_context()
