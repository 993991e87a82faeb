from molotov._arguments import Args as Args
from molotov._data import Data as Data, DataExhausted as DataExhausted, data as data
from molotov._measures import (
    Group as Group,
    check as check,
    count as count,
    gauge as gauge,
    group as group,
    record as record,
    think as think,
    unique as unique,
    worker_number as worker_number,
)
from molotov.api import (
    events as events,
    global_setup as global_setup,
    global_teardown as global_teardown,
    scenario as scenario,
    scenario_picker as scenario_picker,
    session_factory as session_factory,
    setup as setup,
    setup_session as setup_session,
    teardown as teardown,
    teardown_session as teardown_session,
)
from molotov.session import (
    Context as Context,
    Operation as Operation,
    get_context as get_context,
    operation as operation,
)
from molotov._streams import ServerSentEvent as ServerSentEvent, server_sent_events as server_sent_events
from molotov.util import get_var as get_var, json_request as json_request, request as request, set_var as set_var

__version__: str

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
