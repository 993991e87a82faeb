# args: --single-run -c
# What scripts read of a session, and of its connector and jar.
import os

import aiohttp
from molotov import scenario, setup


@setup()
async def options(worker_id, args):
    return {
        "headers": {"X-One": "1"},
        "auth": aiohttp.BasicAuth("me", "secret"),
        "timeout": aiohttp.ClientTimeout(total=7, sock_read=3),
        "trust_env": True,
        "raise_for_status": True,
    }


@scenario()
async def one(session):
    print("SEEN", session.timeout.total, session.timeout.sock_read, session.timeout.connect, type(session.timeout).__name__)
    print("SEEN", session.version, session.version == aiohttp.HttpVersion11, session.trust_env, session.raise_for_status)
    print("SEEN", session.requote_redirect_url, session.auto_decompress, session.connector_owner, session.skip_auto_headers)
    print("SEEN", session.auth, dict(session.headers), session.json_serialize({"a": 1}))
    print("SEEN", isinstance(session.connector, aiohttp.TCPConnector), session.connector.limit, session.connector.closed)
    print("SEEN", session.connector.limit_per_host, session.connector.force_close, session.connector is session._connector)
    print("SEEN", session._trust_env, session._timeout.total, session._auto_decompress, session._base_url)
    for name in ("base_url", "nothing", "_nothing", "verify"):
        print("SEEN", name, hasattr(session, name))
    session.detach()
    print("SEEN", session.closed)
    try:
        await session.get(os.environ["TARGET"])
    except RuntimeError as error:
        print("SEEN", error)
