# An extension: a listener and a fixture beside the script's own.
from molotov import events, global_setup

print("SEEN extension imported")


@global_setup()
def prepare(args):
    print("SEEN global_setup of the extension")


@events()
async def listen(event, **info):
    if event == "scenario_success":
        print("SEEN extension heard", info["scenario"]["name"])
