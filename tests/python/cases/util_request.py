# args: --single-run -c
# request() in global_setup.
import os
from molotov import scenario, request, global_setup

@global_setup()
def init(args):
    url = os.environ["TARGET"]
    answer = request(url + "/echo", verb="POST", data=b"body", headers={"X-A": "b"})
    print("SEEN", sorted(answer), answer["status"], answer["headers"]["content-type"], '"body": "body"' in answer["content"])
    answer = request(url + "/status/404")
    print("SEEN", answer["status"], answer["content"])
    answer = request(url + "/redirect/1", allow_redirects=False)
    print("SEEN", answer["status"], answer["headers"]["Location"])
    answer = request(url + "/cookies", session_options={"cookies": {"a": "b"}})
    print("SEEN", answer["content"])

@scenario()
async def one(session):
    pass
