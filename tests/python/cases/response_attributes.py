# args: --single-run -c
# What a response tells of itself.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/headers?a=1#part") as response:
        print("SEEN", response.status, response.reason, response.ok, response.method, response.host)
        print("SEEN", str(response.url), str(response.real_url), response.url.query.get("a"))
        print("SEEN", response.content_type, response.charset, response.content_length, response.content_disposition)
        print("SEEN", response.version, response.closed, response.history, dict(response.cookies))
        print("SEEN", response.request_info.method, str(response.request_info.url), str(response.request_info.real_url))
        print("SEEN", sorted(k for k in response.request_info.headers if k != "User-Agent"))
        print("SEEN", [c.__name__ for c in type(response).__mro__ if c.__name__ == "ClientResponse"])
