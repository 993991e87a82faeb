# args: --single-run -c
# A certificate for another name, and the name that is asked for.
import os
import pathlib
import ssl
import aiohttp
from molotov import scenario

TLS = pathlib.Path(__file__).resolve().parent.parent / "tls"

@scenario()
async def one(session):
    context = ssl.create_default_context(cafile=str(TLS / "server.pem"))
    url = os.environ["TARGET_TLS"] + "/tls"
    for options in ({"server_hostname": "other.invalid"}, {"server_hostname": "localhost"}, {}):
        try:
            async with session.get(url, ssl=context, **options) as response:
                print("SEEN", options, response.status)
        except aiohttp.ClientError as error:
            print("SEEN", options, type(error).__name__)
    context.check_hostname = False
    async with session.get(url, ssl=context, server_hostname="other.invalid") as response:
        print("SEEN", response.status)
