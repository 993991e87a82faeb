# args: --single-run -c
# What can be imported from where.
import molotov
import molotov.api
import molotov.session
import molotov.util
from molotov import scenario

@scenario()
async def one(session):
    for module, names in ((molotov, "scenario setup setup_session teardown teardown_session global_setup global_teardown "
                           "scenario_picker events request json_request get_var set_var get_context"),
                          (molotov.api, "scenario setup get_fixture get_scenario get_scenarios pick_scenario events"),
                          (molotov.util, "request json_request get_var set_var event_loop"),
                          (molotov.session, "get_context")):
        print("SEEN", module.__name__, [name for name in names.split() if not callable(getattr(module, name, None))])
    print("SEEN", molotov.session.get_context is molotov.get_context, type(molotov.__version__).__name__)
