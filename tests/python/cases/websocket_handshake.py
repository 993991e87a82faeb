# args: --single-run -c
# Handshakes with redirects, over TLS, and with a session that raises for statuses.
import os
import pathlib
import ssl
import molotov
from molotov import scenario

TARGET = os.environ["TARGET"]
TLS = os.environ["TARGET_TLS"]
CERTIFICATE = pathlib.Path(__file__).resolve().parent.parent / "tls" / "server.pem"


async def raises(response):
    print("SEEN raises", response.status)
    response.raise_for_status()


@molotov.setup()
async def init_worker(worker_id, args):
    return {"raise_for_status": raises}


async def tried(session, name, url, **keywords):
    try:
        async with session.ws_connect(url, **keywords) as ws:
            await ws.send_str("hello")
            print("SEEN", name, await ws.receive_str(), ws.get_extra_info("peername") is not None)
    except Exception as error:
        print("SEEN", name, type(error).__name__, getattr(error, "status", None), getattr(error, "message", None))
        print("SEEN", name, [response.status for response in getattr(error, "history", ())])


@scenario()
async def one(session):
    for code in (301, 302, 303, 307, 308):
        await tried(session, code, TARGET + "/redirect-code/%d?to=/ws" % code)
    await tried(session, "to an answer", TARGET + "/redirect/3")
    await tried(session, "too often", TARGET + "/redirect/20")
    await tried(session, "missing", TARGET + "/status/404")
    for scheme in ("https", "wss"):
        url = TLS.replace("https", scheme) + "/ws"
        await tried(session, scheme, url, ssl=False)
        await tried(session, scheme, url, ssl=ssl.create_default_context(cafile=str(CERTIFICATE)))
        await tried(session, scheme, url)
