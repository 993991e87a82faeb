# args: --single-run -c
# What scripts read of a response, of its request and of its stream.
import os

import aiohttp
from molotov import scenario

DISPOSITION = "attachment; filename=\"a b.txt\"; size=3"


@scenario()
async def one(session):
    target = os.environ["TARGET"]
    async with session.get(target + "/headers?a=1") as response:
        print("SEEN", response.content_disposition, response.get_encoding(), response.closed, response.ok)
        print("SEEN", response.request.method, str(response.request.url), response.request.is_ssl())
        print("SEEN", response.request.version, response.request.keep_alive(), response.request.host, response.request.port > 0)
        print("SEEN", str(response.request.original_url), str(response.request.request_info.url))
        print("SEEN", sorted(name for name in response.request.headers if name != "User-Agent"))
        print("SEEN", response.content.exception(), response.content.is_eof() in (True, False), response.content.total_bytes >= 0)
        await response.content.wait_eof()
        print("SEEN", len(response.content.read_nowait()), response.content.at_eof(), response.content.is_eof())
        print("SEEN", response.release() is None or True, response.closed)
        for name in ("nothing", "status_code", "is_disconnected"):
            print("SEEN", name, hasattr(response, name))
    async with session.get(target + "/content-type", params={"kind": "text/html; charset=latin-1"}) as response:
        print("SEEN", response.content_type, response.charset, response.get_encoding(), response.content_length)
    async with session.get(target + "/with-header", params={"name": "Content-Disposition", "value": DISPOSITION}) as response:
        found = response.content_disposition
        print("SEEN", found.type, found.filename, dict(found.parameters), type(found) is aiohttp.client_reqrep.ContentDisposition)
