"""The types of yarl and multidict, or our small replacements if they are not installed."""

from collections import namedtuple

from molotov._aiohttp import imported
from molotov._classes import passes_for


def URL(text):
    """Returns a URL of yarl, or ours if yarl is not installed."""
    try:
        import yarl
    except ImportError:
        from molotov import _url

        return _url.URL(text)
    return yarl.URL(text, encoded=True) if isinstance(text, str) else text


def multidict(pairs):
    try:
        from multidict import CIMultiDict, CIMultiDictProxy
    except ImportError:
        from molotov import _url

        return _url.Headers(pairs)
    return CIMultiDictProxy(CIMultiDict(pairs))


def changeable(pairs):
    try:
        from multidict import CIMultiDict
    except ImportError:
        from molotov import _url

        return _url.Headers(pairs)
    return CIMultiDict(pairs)


_Version = namedtuple("HttpVersion", "major minor")


def http_version(major, minor):
    """Returns a version of HTTP, as aiohttp's class if it is imported."""
    aiohttp = imported()
    return _Version(major, minor) if aiohttp is None else aiohttp.HttpVersion(major, minor)


def decoded(pairs):
    return [(name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in pairs]


class RequestInfo:
    """The request that a response belongs to."""

    __class__ = passes_for("RequestInfo")

    def __init__(self, url, method, headers, real_url=None):
        self.url = url
        self.method = method
        self.headers = headers
        self.real_url = real_url if real_url is not None else url

    def __repr__(self):
        return "RequestInfo(url=%r, method=%r, headers=%r, real_url=%r)" % (
            self.url,
            self.method,
            self.headers,
            self.real_url,
        )


def info_of(url, method="GET"):
    return RequestInfo(URL(url) if url else None, method, multidict([]))
