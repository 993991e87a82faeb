# args: --single-run -c
# Options about TLS and proxies are taken for a plain address as well.
import os
from molotov import scenario

@scenario()
async def one(session):
    for options in ({"ssl": False}, {"ssl": True}, {"verify_ssl": False}, {"ssl": None}, {"proxy": None}, {"trace_request_ctx": {"a": 1}},
                    {"read_bufsize": 1024}, {"version": None}):
        try:
            async with session.get(os.environ["TARGET"] + "/", **options) as response:
                print("SEEN", options, response.status)
        except Exception as error:
            print("SEEN", options, type(error).__name__)
