# args: --single-run -c
# json_request() in global_setup and in a running loop.
import os
import aiohttp
from molotov import scenario, json_request, global_setup

@global_setup()
def init(args):
    answer = json_request(os.environ["TARGET"] + "/", params={"a": "1"})
    print("SEEN", answer["content"], answer["status"], answer["headers"].get("content-length"))
    answer = json_request(os.environ["TARGET"] + "/echo", "PUT", data={"a": "1"})
    print("SEEN", answer["content"]["method"], answer["content"]["body"])
    try:
        json_request(os.environ["TARGET"] + "/lines")
    except aiohttp.ContentTypeError as error:
        print("SEEN", type(error).__name__)
    try:
        json_request(os.environ["TARGET"] + "/close")
    except aiohttp.ClientError as error:
        print("SEEN", type(error).__name__)

@scenario()
async def one(session):
    print("SEEN", json_request(os.environ["TARGET"] + "/")["content"])
