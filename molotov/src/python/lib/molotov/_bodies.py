"""The body of a request, from any type that scripts pass."""

import io

from molotov._aiohttp import imported, needed
from molotov._content import Content
from molotov._uploads import Iterated, Opened, Source


def json_serialize(options):
    """Returns the function of a session that writes JSON."""
    if "json_serialize" in options:
        return options["json_serialize"]
    import json

    return json.dumps


def compressed(body, coding):
    import zlib

    if coding == "gzip":
        compressor = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    else:
        compressor = zlib.compressobj(wbits=zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


# A body of a known size up to this many bytes is written before the request starts.
_SMALL = 64 * 1024


async def body_of(keywords, options):
    """Returns the body of a request, or the source that writes it while it is sent, and its content type."""
    if keywords.get("json") is not None:
        return json_serialize(options)(keywords["json"]).encode("utf-8"), None, "application/json"
    data = keywords.get("data")
    if data is None:
        return None, None, None
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data), None, "application/octet-stream"
    if isinstance(data, str):
        return data.encode("utf-8"), None, "text/plain; charset=utf-8"
    plain = None if hasattr(data, "__aiter__") else _form(data)
    if plain is not None:
        from urllib.parse import urlencode

        return urlencode(plain, doseq=True, encoding="utf-8").encode(), None, "application/x-www-form-urlencoded"
    source = Source(data, _payload)
    if source.size is not None and source.size <= _SMALL:
        return await source.collect(), None, source.content_type
    return None, source, source.content_type


def _payload(data):
    """Returns the source that writes a body. For files and forms with files, it is aiohttp's."""
    if isinstance(data, Content):
        return Iterated(data.iter_any())
    aiohttp = imported()
    if hasattr(data, "__aiter__") and (aiohttp is None or hasattr(data, "asend")):
        return Iterated(data)
    try:
        aiohttp = needed()
    except ModuleNotFoundError:
        if isinstance(data, io.IOBase):
            return Opened(data)
        raise
    from aiohttp import payload

    if isinstance(data, aiohttp.FormData):
        data = data()
    elif isinstance(data, (dict, list, tuple)) or hasattr(data, "items"):
        data = aiohttp.FormData(data)()
    try:
        return payload.PAYLOAD_REGISTRY.get(data, disposition=None)
    except payload.LookupError:
        return aiohttp.FormData(data)()


def _form(data):
    """Returns the pairs of a form without files, or `None`."""
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
