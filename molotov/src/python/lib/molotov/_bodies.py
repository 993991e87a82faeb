"""The body of a request, whatever a script gives for it."""

import json as _json
from urllib.parse import urlencode

from molotov._aiohttp import needed


def compressed(body, coding):
    import zlib

    if coding == "gzip":
        compressor = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    else:
        compressor = zlib.compressobj(wbits=zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


class _Collected:
    """Takes what aiohttp's payloads write."""

    def __init__(self):
        self.parts = []

    async def write(self, chunk):
        self.parts.append(bytes(chunk))

    async def write_eof(self, chunk=b""):
        if chunk:
            self.parts.append(bytes(chunk))

    def enable_compression(self, *_):
        pass

    def enable_chunking(self):
        pass


async def body_of(keywords, options):
    """The body of a request: whole, or in parts where its length is not told; and its type."""
    if keywords.get("json") is not None:
        dumps = options.get("json_serialize", _json.dumps)
        return dumps(keywords["json"]).encode("utf-8"), None, "application/json"
    data = keywords.get("data")
    if data is None:
        return None, None, None
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data), None, "application/octet-stream"
    if isinstance(data, str):
        return data.encode("utf-8"), None, "text/plain; charset=utf-8"
    if hasattr(data, "__aiter__"):
        return None, [bytes(part) async for part in data], "application/octet-stream"
    plain = _form(data)
    if plain is not None:
        return urlencode(plain, doseq=True, encoding="utf-8").encode(), None, "application/x-www-form-urlencoded"
    # Files and forms with files: aiohttp's own payloads write them.
    aiohttp = needed()
    from aiohttp import payload

    if isinstance(data, aiohttp.FormData):
        data = data()
    elif isinstance(data, (dict, list, tuple)) or hasattr(data, "items"):
        data = aiohttp.FormData(data)()
    if not isinstance(data, payload.Payload):
        try:
            data = payload.PAYLOAD_REGISTRY.get(data, disposition=None)
        except payload.LookupError:
            data = aiohttp.FormData(data)()
    collected = _Collected()
    size = data.size
    await data.write(collected)
    kind = data.headers.get("Content-Type", data.content_type)
    if size is None:
        return None, collected.parts, kind
    return b"".join(collected.parts), None, kind


def _form(data):
    """Pairs of a form without files, or `None`."""
    if hasattr(data, "items"):
        items = list(data.items())
    elif isinstance(data, (list, tuple)):
        items = list(data)
    else:
        return None
    for item in items:
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], (str, int, float))):
            return None
    return [(name, str(value)) for name, value in items]
