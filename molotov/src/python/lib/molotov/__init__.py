"""Molotov: write scenarios as coroutines, watch workers break a service."""

from molotov.api import (
    events,
    global_setup,
    global_teardown,
    scenario,
    scenario_picker,
    session_factory,
    setup,
    setup_session,
    teardown,
    teardown_session,
)
from molotov._arguments import Args
from molotov._data import Data, DataExhausted, data
from molotov._measures import Group, check, count, gauge, group, record, think, unique, worker_number
from molotov.session import Context, Operation, get_context, operation
from molotov._streams import ServerSentEvent, server_sent_events
from molotov.util import get_var, json_request, request, set_var

from molotov._core import __version__

# For `import *`, which scripts of the original use: names that the original does not have could replace those of a script.
__all__ = [
    "Args",
    "Context",
    "Operation",
    "events",
    "get_context",
    "get_var",
    "global_setup",
    "global_teardown",
    "json_request",
    "operation",
    "request",
    "scenario",
    "scenario_picker",
    "session_factory",
    "set_var",
    "setup",
    "setup_session",
    "teardown",
    "teardown_session",
]
