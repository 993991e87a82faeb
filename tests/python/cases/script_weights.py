# args: -r 60 -c
# Weights steer: one that is a million times heavier.
from molotov import scenario, global_teardown

COUNT = {"heavy": 0, "light": 0}

@scenario(weight=1000000)
async def heavy(session):
    COUNT["heavy"] += 1

@scenario(weight=0.001)
async def light(session):
    COUNT["light"] += 1

@global_teardown()
def told():
    print("SEEN", COUNT["heavy"])
