# args: --single-run -c
# A resolver of the script's own, and a family of addresses.
import os
import socket
import aiohttp
from molotov import scenario

class Resolver(aiohttp.abc.AbstractResolver):
    async def resolve(self, host, port=0, family=socket.AF_INET):
        print("SEEN", host)
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def close(self):
        pass

@scenario()
async def one(session):
    port = os.environ["TARGET"].rsplit(":", 1)[1]
    session.headers["X-Late"] = "1"
    for connector in (aiohttp.TCPConnector(family=socket.AF_INET), aiohttp.TCPConnector(resolver=Resolver())):
        session._connector = connector
        async with session.get("http://localhost:%s/echo" % port) as response:
            print("SEEN", response.status, (await response.json())["headers"]["x-late"])
