# args: --single-run -c
# A connector's TLS counts for every request that says nothing else, and may be replaced.
import os
import pathlib
import ssl
import aiohttp
from molotov import scenario, setup

TLS = pathlib.Path(__file__).resolve().parent.parent / "tls"

@setup()
async def prepare(worker_id, args):
    return {"connector": aiohttp.TCPConnector(ssl=False)}

async def tell(session, **options):
    try:
        async with session.get(os.environ["TARGET_TLS"] + "/tls", **options) as response:
            print("SEEN", response.status, (await response.json())["client"])
    except aiohttp.ClientError as error:
        print("SEEN", type(error).__name__)

@scenario()
async def one(session):
    print("SEEN", type(session.connector).__name__, session.connector is session._connector)
    await tell(session)
    await tell(session, ssl=True)
    await tell(session, ssl=ssl.create_default_context())
    first = session._connector
    for connector in (aiohttp.TCPConnector(), aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(bytes(32)))):
        session._connector = connector
        await tell(session)
    context = ssl.create_default_context(cafile=str(TLS / "server.pem"))
    context.load_cert_chain(TLS / "client.pem", TLS / "client.key")
    session._connector = aiohttp.TCPConnector(ssl=context, limit=1)
    await tell(session)
    print("SEEN", session.connector.limit)
    await first.close()
