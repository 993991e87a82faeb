# args: --single-run -c
# json_request() with a JSON body.
import os
from molotov import scenario, json_request, request, global_setup

@global_setup()
def init(args):
    for function in (request, json_request):
        try:
            answer = function(os.environ["TARGET"] + "/echo", verb="POST", json={"a": 1})
            print("SEEN", function.__name__, answer["status"])
        except TypeError as error:
            print("SEEN", function.__name__, "TypeError")

@scenario()
async def one(session):
    pass
