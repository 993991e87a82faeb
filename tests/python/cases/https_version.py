# args: -w 3 -r 2 -c
# unordered: seen
# HTTPS is HTTP/1.1 for scripts, one connection a request at a time, whatever else the server offers.
import asyncio
import os
import ssl
from pathlib import Path
from molotov import scenario, setup_session, global_teardown

CERTIFICATE = Path(__file__).parent / "support" / "localhost.pem"
os.environ["SSL_CERT_FILE"] = str(CERTIFICATE)
CONNECTIONS = []
SERVERS = []

async def serve(reader, writer):
    tls = writer.get_extra_info("ssl_object")
    CONNECTIONS.append(tls.selected_alpn_protocol() != "h2")
    while request := await reader.readuntil(b"\r\n\r\n"):
        print("SEEN", request.split(b"\r\n")[0])
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")

async def address():
    if not SERVERS:
        SERVERS.append(None)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE)
        context.set_alpn_protocols(["h2", "http/1.1"])
        SERVERS[0] = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    while not SERVERS[0]:
        await asyncio.sleep(0.01)
    return "https://localhost:%d/" % SERVERS[0].sockets[0].getsockname()[1]

@setup_session()
async def begin(worker_id, session):
    session.address = await address()

@scenario()
async def one(session):
    responses = await asyncio.gather(*(session.get(session.address) for _ in range(2)))
    for response in responses:
        print("SEEN", response.status, response.version.major, response.version.minor, await response.text())

@global_teardown()
def count():
    print("SEEN", len(CONNECTIONS), all(CONNECTIONS))
