# args: --single-run -c
# The fingerprint of the only certificate that a request accepts.
import hashlib
import os
import pathlib
import ssl
import aiohttp
from molotov import scenario

TLS = pathlib.Path(__file__).resolve().parent.parent / "tls"
RIGHT = hashlib.sha256(ssl.PEM_cert_to_DER_cert((TLS / "server.pem").read_text())).digest()

@scenario()
async def one(session):
    url = os.environ["TARGET_TLS"] + "/tls"
    for options in ({"ssl": aiohttp.Fingerprint(RIGHT)}, {"fingerprint": RIGHT}):
        async with session.get(url, **options) as response:
            print("SEEN", response.status)
    try:
        await session.get(url, ssl=aiohttp.Fingerprint(bytes(32)))
    except aiohttp.ServerFingerprintMismatch as error:
        print("SEEN", [c.__name__ for c in type(error).__mro__], error.got == RIGHT, error.expected, error.host)
        print("SEEN", error.port == int(url.split(":")[2].split("/")[0]))
    # Without TLS there is nothing to compare.
    async with session.get(os.environ["TARGET"] + "/", ssl=aiohttp.Fingerprint(bytes(32))) as response:
        print("SEEN", response.status)
