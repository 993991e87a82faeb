# args: --single-run -c
# KeyboardInterrupt and GeneratorExit raised by the script itself.
from molotov import scenario, events

@scenario()
async def a_generator_exit(session):
    raise GeneratorExit("odd")

@scenario()
async def b_fine(session):
    print("SEEN fine")

@events()
async def listen(event, **info):
    if event == "scenario_failure":
        print("SEEN", type(info["exception"]).__name__)
