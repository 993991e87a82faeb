# args: --single-run -c
# The script is not found among the modules: what looks it up there fails.
import pickle
import sys
from molotov import scenario

class Item:
    pass

@scenario()
async def one(session):
    print("SEEN", __name__ in sys.modules)
    try:
        pickle.dumps(Item())
        print("SEEN pickled")
    except Exception as error:
        print("SEEN", type(error).__name__)
