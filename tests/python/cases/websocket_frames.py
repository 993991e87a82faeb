# args: --single-run -c
# What a server may send: fragments, pings, close codes, broken frames, large messages, and refusals.
import base64
import hashlib
import socket
import struct
import threading

import aiohttp
import molotov
from molotov import scenario

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def frame(first, payload=b""):
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    return bytes((first, 126)) + struct.pack("!H", size) + payload


def whole(opcode, payload=b""):
    return frame(0x80 | opcode, payload)


def closing(code, reason=b""):
    return whole(CLOSE, struct.pack("!H", code) + reason)


# What the server sends after the handshake.
FRAMES = {
    "text": whole(TEXT, "hällo".encode()) + closing(1000),
    "fragments": frame(TEXT, b"one ") + whole(PING, b"?") + frame(0, b"two ") + whole(0, b"three") + closing(1000),
    "binary": whole(BINARY, bytes(range(256))) + closing(1000),
    "empty": whole(TEXT) + whole(BINARY) + closing(1000),
    "normal": closing(1000, b"bye"),
    "away": closing(1001),
    "policy": closing(1008, b"no"),
    "error": closing(1011),
    "own": closing(4321, b"mine"),
    "bits": frame(0x80 | 0x20 | TEXT, b"x"),
    "opcode": whole(3, b"x"),
    "control": frame(PING, b"x"),
    "code": closing(999),
    "utf8": whole(TEXT, b"\xff"),
    "reason": closing(1000, b"\xff"),
    "large": whole(TEXT, b"x" * 200),
    "fits": whole(TEXT, b"x" * 99) + closing(1000),
    "gone": whole(TEXT, b"last"),
    "unfinished": frame(TEXT, b"one ") + closing(1000, b"bye"),
    "cut": frame(TEXT, b"one "),
    "extended": whole(TEXT, b"plain") + closing(1000),
}
HANDSHAKES = {
    "forbidden": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\nX-Why: because\r\n\r\nno",
    "plain": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    "key": b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 S\r\nConnection: upgrade\r\n\r\n",
}


def serve(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(4096)
    name = head.split(b" ")[1].decode().strip("/")
    if name in HANDSHAKES:
        connection.sendall(HANDSHAKES[name])
        connection.close()
        return
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    # The client has not offered it.
    extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if name == "extended" else b""
    chosen = b"Sec-WebSocket-Protocol: two\r\n" if lines.get(b"sec-websocket-protocol") else b""
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n" + chosen + extension + b"\r\n" + FRAMES[name]
    )
    if name not in ("gone", "cut"):
        while connection.recv(4096):
            pass
    connection.close()


@molotov.global_setup()
def start(args):
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    molotov.set_var("port", listener.getsockname()[1])


def shown(message):
    data = message.data
    if isinstance(data, Exception):
        data = (type(data).__name__, data.code)
    return message.type.name, str(data)[:120], message.extra


@scenario()
async def frames(session):
    for name in FRAMES:
        url = "ws://127.0.0.1:%d/%s" % (molotov.get_var("port"), name)
        ws = await session.ws_connect(url, max_msg_size=0 if name == "binary" else 100)
        for _ in range(6):
            message = await ws.receive()
            print("SEEN", name, shown(message))
            if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                break
        print("SEEN", name, ws.closed, ws.close_code, type(ws.exception()).__name__)
        print("SEEN", name, await ws.close(), isinstance(ws, aiohttp.ClientWebSocketResponse))
        try:
            await ws.send_str("more")
        except Exception as error:
            print("SEEN", name, type(error).__name__, error)
    url = "ws://127.0.0.1:%d/normal" % molotov.get_var("port")
    async with session.ws_connect(url, protocols=("one", "two"), origin="http://a.test", headers={"X-A": "b"}) as ws:
        print("SEEN", ws.protocol, ws.get_extra_info("peername") is not None, ws.get_extra_info("odd", 7))
        print("SEEN", [shown(message) async for message in ws], ws.closed, ws.close_code)
    for name in HANDSHAKES:
        try:
            await session.ws_connect("ws://127.0.0.1:%d/%s" % (molotov.get_var("port"), name))
        except aiohttp.WSServerHandshakeError as error:
            print("SEEN", name, error.status, error.message, error.headers.get("X-Why"), error.request_info.real_url.path)
