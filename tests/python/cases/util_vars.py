# args: --single-run -c
# set_var and get_var, with and without a factory.
import molotov
from molotov import scenario, set_var, get_var, global_setup
from molotov.util import get_var as other

@global_setup()
def init(args):
    print("SEEN", set_var("endpoint", "http://x"), get_var("missing"))

@scenario()
async def one(session):
    print("SEEN", get_var("endpoint"), other("endpoint"), molotov.get_var("endpoint"))
    print("SEEN", get_var("made", factory=lambda: [1]), get_var("made", factory=lambda: [2]), get_var("made") is get_var("made"))
    set_var("endpoint", None)
    print("SEEN", get_var("endpoint"), get_var("endpoint", factory=lambda: "again"), get_var("endpoint", lambda: "by place"))
