# SPDX-License-Identifier: Apache-2.0
"""A small HTTP/1.1 server that records its requests.

Standard library only. It listens on 127.0.0.1, on ports of the system's
choosing: one for HTTP and one for HTTPS, with the certificate in `tls/`. It
prints them on one line each and serves until it is killed.
`GET /__log` gives all recorded requests as JSON and forgets them.

With `--fork`, each line on its standard input starts such a server in a process
of its own, which prints its process id before the ports. Forking takes a
fraction of the time that starting Python takes.
"""

import asyncio
import base64
import collections
import gzip
import hashlib
import itertools
import json
import os
import pathlib
import signal
import ssl
import struct
import sys
import zlib
from urllib.parse import parse_qs

LOG = []
# The bytes received of chunked bodies, by path. The body may never end.
RECEIVED = collections.Counter()
CONNECTIONS = itertools.count(1)
REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 301: "Moved Permanently",
    302: "Found", 303: "See Other", 304: "Not Modified",
    307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 413: "Content Too Large", 418: "I'm a Teapot",
    500: "Internal Server Error", 503: "Service Unavailable",
}
TLS = pathlib.Path(__file__).resolve().parent / "tls"
WS_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Request:
    def __init__(self, method, target, headers, body):
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        if not target.startswith("/"):  # what a proxy is asked
            target = "/" + target.split("//", 1)[-1].partition("/")[2]
        self.path, _, query = target.partition("?")
        self.query = parse_qs(query, keep_blank_values=True)

    def header(self, name, default=None):
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return default

    def arg(self, name, default):
        return self.query.get(name, [default])[0]


async def read_chunked(reader, path):
    body = bytearray()
    while True:
        line = await reader.readline()
        size = int(line.split(b";")[0], 16)
        if size == 0:
            while (await reader.readline()).strip():
                pass
            return bytes(body)
        body += await reader.readexactly(size)
        RECEIVED[path] += size
        await reader.readexactly(2)


async def read_request(reader, writer):
    while True:
        line = await reader.readline()
        if not line:
            return None
        if line.strip():
            break
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = []
    while True:
        line = (await reader.readline()).decode("latin-1")
        if line in ("\r\n", "\n", ""):
            break
        name, _, value = line.partition(":")
        headers.append([name, value.strip()])
    request = Request(method, target, headers, b"")
    if (request.header("expect") or "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    if request.path == "/refuse":
        return request
    if "chunked" in (request.header("transfer-encoding") or "").lower():
        request.body = await read_chunked(reader, request.path)
    elif request.header("content-length"):
        request.body = await reader.readexactly(int(request.header("content-length")))
    return request


def record(request):
    LOG.append({
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body": base64.b64encode(request.body).decode(),
    })


def head(status, headers, reason=None):
    text = REASONS.get(status, "Unknown") if reason is None else reason
    lines = ["HTTP/1.1 %d %s" % (status, text)]
    lines += ["%s: %s" % pair for pair in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(writer, request, body=b"", status=200, kind="text/plain; charset=utf-8",
           headers=(), reason=None):
    pairs = list(headers)
    if kind is not None:
        pairs.append(("Content-Type", kind))
    bodyless = status in (204, 304) or status < 200
    if not bodyless:
        pairs.append(("Content-Length", str(len(body))))
    if (request.header("connection") or "").lower() == "close":
        pairs.append(("Connection", "close"))
    if request.method == "HEAD" or bodyless:
        body = b""
    # One write, so that small responses arrive at once.
    writer.write(head(status, pairs, reason) + body)


def answer_json(writer, request, value, **options):
    body = json.dumps(value, sort_keys=True).encode()
    options.setdefault("kind", "application/json")
    answer(writer, request, body, **options)


async def websocket(request, reader, writer):
    key = request.header("sec-websocket-key", "")
    accept = base64.b64encode(hashlib.sha1((key + WS_KEY).encode()).digest()).decode()
    pairs = [("Upgrade", "websocket"), ("Connection", "Upgrade"),
             ("Sec-WebSocket-Accept", accept)]
    wanted = request.header("sec-websocket-protocol")
    if wanted:
        pairs.append(("Sec-WebSocket-Protocol", wanted.split(",")[0].strip()))
    writer.write(head(101, pairs, "Switching Protocols"))

    def send(opcode, data):
        if len(data) < 126:
            length = bytes([len(data)])
        elif len(data) < 65536:
            length = b"\x7e" + struct.pack("!H", len(data))
        else:
            length = b"\x7f" + struct.pack("!Q", len(data))
        writer.write(bytes([0x80 | opcode]) + length + data)

    message = bytearray()
    kind = 1
    while True:
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack("!H", await reader.readexactly(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", await reader.readexactly(8))[0]
        mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
        data = await reader.readexactly(size)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(data))
        opcode = first & 0x0F
        if opcode == 8:
            send(8, data)
            await writer.drain()
            return
        if opcode == 9:
            send(10, data)
        elif opcode in (0, 1, 2):
            if opcode:
                kind = opcode
            message += data
            if first & 0x80:
                if bytes(message) == b"please close":
                    send(8, struct.pack("!H", 4001) + b"as asked")
                else:
                    send(kind, bytes(message))
                message.clear()
        await writer.drain()


async def respond(request, reader, writer):
    """Answers one request. Returns False if the connection must be closed."""
    path = request.path
    if path == "/":
        answer_json(writer, request, {"result": "OK"})
    elif path == "/echo":
        answer_json(writer, request, {
            "method": request.method,
            "target": request.target,
            "headers": {k.lower(): v for k, v in request.headers},
            "body": request.body.decode("latin-1"),
        })
    elif path.startswith("/status/"):
        status = int(path.rsplit("/", 1)[1])
        answer(writer, request, b"status %d" % status, status=status,
               reason=request.query.get("reason", [None])[0])
    elif path.startswith("/redirect/"):
        left = int(path.rsplit("/", 1)[1])
        target = "/redirect/%d" % (left - 1) if left > 1 else "/"
        answer(writer, request, b"elsewhere", status=302, headers=[("Location", target)])
    elif path.startswith("/redirect-code/"):
        code = path.rsplit("/", 1)[1]
        if not code.isdigit():
            answer(writer, request, b"no such code", status=404)
            return True
        answer(writer, request, status=int(code), headers=[("Location", request.arg("to", "/echo"))])
    elif path == "/redirect-cookie":
        answer(writer, request, status=302, headers=[
            ("Location", "/cookies"), ("Set-Cookie", "hop=1; Path=/")])
    elif path == "/redirect-nowhere":
        answer(writer, request, b"no place", status=302)
    elif path == "/set-cookie":
        answer(writer, request, b"cookies", headers=[
            ("Set-Cookie", "flavour=plain; Path=/"),
            ("Set-Cookie", "shape=round; Path=/; HttpOnly; Max-Age=3600")])
    elif path == "/cookies":
        answer_json(writer, request, {"cookie": request.header("cookie", "")})
    elif path == "/gzip":
        answer(writer, request, gzip.compress(b'{"packed": "gzip"}', mtime=0),
               kind="application/json", headers=[("Content-Encoding", "gzip")])
    elif path == "/deflate":
        answer(writer, request, zlib.compress(b'{"packed": "deflate"}'),
               kind="application/json", headers=[("Content-Encoding", "deflate")])
    elif path == "/bad-gzip":
        answer(writer, request, b"not gzip!", headers=[("Content-Encoding", "gzip")])
    elif path == "/endless":
        # Waits until the client closes the connection.
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")
        await writer.drain()
        await reader.read()
        return False
    elif path == "/slow":
        await asyncio.sleep(int(request.arg("ms", "100")) / 1000)
        answer(writer, request, b"slow")
    elif path == "/slow-body":
        writer.write(head(200, [("Content-Type", "text/plain"), ("Content-Length", "10")]) + b"first")
        await writer.drain()
        await asyncio.sleep(int(request.arg("ms", "100")) / 1000)
        writer.write(b"later")
    elif path == "/drip":
        # Sends a body in parts, with a pause before each.
        parts = int(request.arg("n", "3"))
        writer.write(head(200, [("Content-Type", "text/plain"), ("Content-Length", str(parts))]))
        for _ in range(parts):
            await writer.drain()
            await asyncio.sleep(int(request.arg("ms", "50")) / 1000)
            writer.write(b".")
    elif path == "/text":
        charset = request.arg("charset", "utf-8")
        answer(writer, request, "gr\u00fc\u00df dich".encode(charset),
               kind="text/plain; charset=%s" % charset)
    elif path == "/text-plain":
        answer(writer, request, "gr\u00fc\u00df dich".encode("utf-8"), kind="text/plain")
    elif path == "/no-type":
        answer(writer, request, b'{"a": 1}', kind=None)
    elif path == "/json-as-text":
        answer(writer, request, b'{"a": 1}')
    elif path == "/vendor-json":
        answer(writer, request, b'{"a": 2}', kind="application/vnd.thing+json")
    elif path == "/bad-json":
        answer(writer, request, b'{"a": ', kind="application/json")
    elif path == "/empty-json":
        answer(writer, request, b"", kind="application/json")
    elif path == "/content-type":
        answer(writer, request, b'{"a": 1}', kind=request.arg("kind", ""))
    elif path == "/lines":
        answer(writer, request, b"one\ntwo\nthree\nfour")
    elif path == "/chunked":
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece)
                          for piece in (b"alpha ", b"beta ", b"gamma", b""))
        writer.write(head(200, [("Content-Type", "text/plain"),
                                ("Transfer-Encoding", "chunked")]) + pieces)
    elif path == "/big":
        answer(writer, request, b"x" * int(request.arg("n", "100000")))
    elif path == "/headers":
        answer(writer, request, b"see headers", headers=[
            ("X-One", "1"), ("X-Many", "a"), ("X-Many", "b"), ("x-MiXeD", "case"),
            ("Link", '</next?page=2>; rel="next", <http://example.org/l>; rel="last"; title="end"')])
    elif path == "/with-header":
        answer(writer, request, headers=[(request.arg("name", "X-One"), request.arg("value", ""))])
    elif path == "/connection":
        answer_json(writer, request, {"connection": request.connection})
    elif path == "/close":
        return False
    elif path == "/half":
        writer.write(head(200, [("Content-Type", "text/plain"), ("Content-Length", "100")])
                     + b"only a part")
        return False
    elif path == "/half-chunked":
        writer.write(head(200, [("Content-Type", "text/plain"),
                                ("Transfer-Encoding", "chunked")])
                     + b"5\r\nalpha\r\n5\r\nbe")
        return False
    elif path == "/until-close":
        writer.write(head(200, [("Content-Type", "text/plain"), ("Connection", "close")])
                     + b"ends with the connection")
        return False
    elif path == "/garbage":
        writer.write(b"this is not HTTP at all\r\n\r\n")
        return False
    elif path == "/basic-auth":
        given = request.header("authorization", "")
        wanted = "Basic " + base64.b64encode(b"user:secret").decode()
        if given == wanted:
            answer_json(writer, request, {"user": "user"})
        else:
            answer(writer, request, b"who are you", status=401,
                   headers=[("WWW-Authenticate", 'Basic realm="compare"')])
    elif path == "/refuse":
        # Answers before the body arrives, and reads until the client closes the connection.
        answer(writer, request, b"too large", status=413, headers=[("Connection", "close")])
        await writer.drain()
        while await reader.read(1 << 16):
            pass
        return False
    elif path == "/received":
        answer_json(writer, request, {"bytes": RECEIVED[request.arg("path", "")]})
    elif path == "/tls":
        certificate = request.tls and request.tls.getpeercert()
        answer_json(writer, request, {
            "tls": request.tls and request.tls.version(),
            "client": certificate and dict(pair[0] for pair in certificate["subject"]),
        })
    elif path == "/empty":
        answer(writer, request, b"")
    elif path == "/ws":
        if "websocket" in (request.header("upgrade") or "").lower():
            await websocket(request, reader, writer)
            return False
        answer(writer, request, b"a websocket lives here", status=400)
    else:
        answer(writer, request, b"no such path", status=404)
    return True


async def serve(reader, writer):
    number = next(CONNECTIONS)
    try:
        while True:
            request = await read_request(reader, writer)
            if request is None:
                break
            if request.path == "/__log":
                answer_json(writer, request, LOG)
                LOG.clear()
                await writer.drain()
                continue
            request.connection = number
            request.tls = writer.get_extra_info("ssl_object")
            record(request)
            keep = await respond(request, reader, writer)
            await writer.drain()
            if not keep or (request.header("connection") or "").lower() == "close":
                break
    except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, ValueError):
        pass
    finally:
        writer.close()


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "server.pem", TLS / "server.key")
    # Client certificates are optional.
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(TLS / "client.pem")
    plain = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    secure = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20, ssl=context)
    for server in (plain, secure):
        print(server.sockets[0].getsockname()[1], flush=True)
    async with plain, secure:
        await asyncio.gather(plain.serve_forever(), secure.serve_forever())


def fork_servers():
    # The forked servers are killed, so there is no need to wait for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        if os.fork() == 0:
            print(os.getpid(), flush=True)
            return asyncio.run(main())


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["--fork"]:
            fork_servers()
        else:
            asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
