"""A load test that compares the public members of aiohttp's classes with those of the objects that scenarios get.

`members.md` is its table. A name that our object lacks needs a reason below: a new one of aiohttp's fails the test.

    molotov --single-run -c -f 1 tests/python/members.py
"""
import asyncio
import os
import pathlib

import aiohttp
import molotov
import yarl

# The table is for this version. With others, only the reasons are checked.
PINNED = "3.9.5"
TABLE = pathlib.Path(__file__).resolve().parent / "members.md"

PARSER = "called by aiohttp's parser, which does not feed this stream"
SENDER = "called by aiohttp to build and send a request; the engine sends it"
NAMED_TUPLE = "of tuples: newer versions of aiohttp have a named tuple"

MISSING = {
    "ClientSession": {
        "ATTRS": "aiohttp's guard against attributes of scripts, which are allowed here",
    },
    "ClientResponse": {
        "ATTRS": "aiohttp's guard against attributes of scripts, which are allowed here",
        "output_size": "not counted",
        "start": "called by aiohttp to read the head, which has been read",
        "upload_complete": "a response is returned when its head has come, whatever is left of the upload",
        "wait_for_close": "waits for aiohttp's writer; `release()` does what is left",
    },
    "StreamReader": {
        "begin_http_chunk_receiving": PARSER,
        "end_http_chunk_receiving": PARSER,
        "feed_data": PARSER,
        "feed_eof": PARSER,
        "get_read_buffer_limits": "the engine has no buffer of its own to limit",
        "on_eof": PARSER,
        "set_exception": PARSER,
        "set_read_chunk_size": "the engine has no buffer of its own to limit",
        "total_compressed_bytes": "the engine decompresses before",
        "total_raw_bytes": "the engine decompresses before",
    },
    "ClientRequest": {
        "ALL_METHODS": SENDER,
        "DEFAULT_HEADERS": SENDER,
        "GET_METHODS": SENDER,
        "POST_METHODS": SENDER,
        "auth": "in `headers`, as `Authorization`",
        "chunked": "the engine frames the body",
        "close": SENDER,
        "compress": "the engine frames the body",
        "connection_key": "the engine has the connections",
        "length": "the engine frames the body",
        "loop": SENDER,
        "proxy": "requests through a proxy are aiohttp's own",
        "proxy_auth": "requests through a proxy are aiohttp's own",
        "proxy_headers": "requests through a proxy are aiohttp's own",
        "response": "not known before the response is",
        "response_class": SENDER,
        "send": SENDER,
        "server_hostname": "the engine has the connections",
        "session": "events have it beside the request",
        "skip_auto_headers": SENDER,
        "ssl": "the engine has the connections",
        "terminate": SENDER,
        "update_auth": SENDER,
        "update_auto_headers": SENDER,
        "update_body": SENDER,
        "update_body_from_data": SENDER,
        "update_content_encoding": SENDER,
        "update_cookies": SENDER,
        "update_expect_continue": SENDER,
        "update_headers": SENDER,
        "update_host": SENDER,
        "update_proxy": SENDER,
        "update_transfer_encoding": SENDER,
        "update_version": SENDER,
        "write_bytes": SENDER,
    },
    "RequestInfo": {
        "count": NAMED_TUPLE,
        "index": NAMED_TUPLE,
        "real_url_default": "of aiohttp's constructor",
    },
    "CookieJar": {},
}


def names_of(kind):
    """Returns the public names of a class of aiohttp, and those of its objects."""
    names = set(dir(kind))
    if kind is aiohttp.ClientRequest:
        made = kind("GET", yarl.URL("http://127.0.0.1/"), loop=asyncio.get_running_loop())
        names |= vars(made).keys()
    return sorted(name for name in names if not name.startswith("_"))


def table(objects):
    """Returns the table, and its errors."""
    lines, wrong = ["# Members of aiohttp's classes", ""], []
    lines += ["Made by `members.py` with aiohttp %s, and checked by it. Names with an underscore are left out." % PINNED, ""]
    for kind, object_ in objects.items():
        reasons = MISSING[kind.__name__]
        lines += ["## %s" % kind.__name__, "", "| name | |", "|---|---|"]
        for name in names_of(kind):
            has, reason = hasattr(object_, name), reasons.get(name)
            if has == (reason is not None):
                wrong.append("%s.%s: %s" % (kind.__name__, name, "there, with a reason" if has else "missing, without a reason"))
            lines.append("| `%s` | %s |" % (name, "yes" if has else "no: %s" % reason))
        lines.append("")
    return "\n".join(lines).rstrip() + "\n", wrong


REQUESTS = []


@molotov.events()
async def listen(event, **info):
    if event == "sending_request":
        REQUESTS.append(info["request"])


async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await writer.drain()
    writer.close()


@molotov.scenario()
async def members(session):
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with session.get("http://127.0.0.1:%d/" % port) as response:
            text, wrong = table({
                aiohttp.ClientSession: session,
                aiohttp.ClientResponse: response,
                aiohttp.StreamReader: response.content,
                aiohttp.ClientRequest: REQUESTS[0],
                aiohttp.RequestInfo: response.request_info,
                aiohttp.CookieJar: session.cookie_jar,
            })
    assert not wrong, "aiohttp %s: %s" % (aiohttp.__version__, "; ".join(wrong))
    if os.environ.get("WRITE_MEMBERS"):
        TABLE.write_text(text)
    if aiohttp.__version__ == PINNED:
        assert text == TABLE.read_text(), "members.md is not of today: run this with WRITE_MEMBERS=1"
