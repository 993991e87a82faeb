"""The attributes of a response that scripts rarely use."""

from collections import namedtuple
from types import MappingProxyType

from molotov._classes import passes_for
from molotov._exceptions import errors
from molotov._types import decoded, http_version, info_of, multidict, RequestInfo, URL


def too_many_redirects(response):
    """Returns the exception for one redirect too many, or `None` if the response has no location."""
    if response.headers.get("Location") is None or response.status not in (301, 302, 303, 307, 308):
        return None
    here = _Hop(response.status, str(response.url), response.raw_headers, response.method, response.reason)
    history = response.history + (here,)
    return errors.TooManyRedirects(_with_url(response.request_info, history[0].url), history)


def _with_url(info, url):
    return RequestInfo(url, info.method, info.headers, url)


def bad_status(response):
    response.release()
    return errors.ClientResponseError(
        response.request_info,
        response.history,
        status=response.status,
        message=response.reason,
        headers=response.headers,
    )


class _Hop:
    """A response of the history: a redirect."""

    __class__ = passes_for("ClientResponse")

    def __init__(self, status, url, headers, method, reason):
        self.status = status
        self.reason = reason
        self.url = URL(url)
        self.real_url = self.url
        self.headers = multidict(decoded(headers))
        self.method = method
        self.history = ()
        self.ok = status < 400
        self.request_info = info_of(url, method)
        self.cookies = _cookies(headers)

    def __repr__(self):
        return "<ClientResponse(%s) [%d %s]>" % (self.url, self.status, self.reason)


def _cookies(pairs):
    from http.cookies import CookieError, SimpleCookie

    cookies = SimpleCookie()
    for name, value in pairs:
        if name.lower() == b"set-cookie":
            try:
                cookies.load(value.decode("latin-1"))
            except CookieError:
                pass
    return cookies


def head(response, raw, name):
    """Returns an attribute of a response's head. It is made once."""
    made = _head(response, raw, name)
    response.__dict__[name] = made
    return made


def _head(response, raw, name):
    if name == "headers":
        return multidict(decoded(raw.get("headers", ())))
    if name == "raw_headers":
        return tuple(raw.get("headers", ()))
    if name in ("url", "real_url"):
        url = URL(raw["url"])
        if not response.history:
            info = response.request_info
            return info.real_url if name == "real_url" else info.url
        return url if name == "real_url" else url.with_fragment(None)
    if name == "_request_info":
        sent = [("Host", host_of(raw["url"])), ("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate")]
        return RequestInfo(URL(raw["url"]), raw.get("method", "GET"), multidict(sent))
    if name == "host":
        return response.url.host
    if name == "reason":
        return raw.get("reason", "")
    if name == "method":
        return raw.get("method") or response._asked_method
    if name == "history":
        method = response._asked_method
        return tuple(_Hop(status, url, headers, method, reason) for status, url, headers, reason in raw.get("history", ()))
    if name == "cookies":
        return _cookies(raw.get("headers", ()))
    if name == "content_length":
        length = response.headers.get("Content-Length")
        return int(length) if length is not None else None
    if name in ("content_type", "charset"):
        from email.message import Message

        message = Message()
        stated = response.headers.get("Content-Type")
        if stated is None:
            return "application/octet-stream" if name == "content_type" else None
        message["content-type"] = stated
        if name == "content_type":
            return message.get_content_type()
        return message.get_param("charset")
    if name == "version":
        text = raw.get("version", "HTTP/1.1").rpartition("/")[2]
        major, _, minor = text.partition(".")
        return http_version(int(major), int(minor or 0))
    if name == "links":
        return _links(response)
    if name == "content_disposition":
        return _content_disposition(response.headers.get("Content-Disposition"))
    if name == "url_obj":
        return response.url
    if name == "request":
        return _request(response)
    if name == "connection":
        return None
    raise AttributeError("'ClientResponse' object has no attribute %r" % name, name=name, obj=response)


def _request(response):
    """The request of a response that no listener has received."""
    from molotov._events import EventRequest

    info = response.request_info
    made = EventRequest(info.method, str(info.url), str(info.real_url), (), None)
    made.headers.extend(info.headers) if hasattr(made.headers, "extend") else made.headers.update(info.headers)
    return made


_ContentDisposition = namedtuple("ContentDisposition", "type parameters filename")


def _content_disposition(stated):
    if stated is None:
        return None
    try:
        from aiohttp import content_disposition_filename, parse_content_disposition
        from aiohttp.client_reqrep import ContentDisposition
    except ImportError:
        from email.message import Message

        message = Message()
        message["content-disposition"] = stated
        parameters = dict(message.get_params([], header="content-disposition")[1:])
        return _ContentDisposition(
            message.get_content_disposition(), MappingProxyType(parameters), message.get_filename()
        )
    kind, parameters = parse_content_disposition(stated)
    return ContentDisposition(kind, MappingProxyType(parameters), content_disposition_filename(parameters))


def host_of(url):
    """Returns the value of the header `Host`."""
    return url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]


def _links(response):
    import re

    links = {}
    for value in response.headers.getall("link", ()) if hasattr(response.headers, "getall") else ():
        for part in re.split(r",(?=\s*<)", value):
            found = re.match(r"\s*<(.*)>(.*)", part)
            if not found:
                continue
            target, rest = found.groups()
            parameters = dict(re.findall(r";\s*(\w+)\s*=\s*\"?([^\";]*)\"?", rest))
            parameters["url"] = response.url.join(URL(target))
            links[parameters.get("rel", target)] = parameters
    return links


def show(response):
    return "<ClientResponse(%s) [%d %s]>\n%s\n" % (response.url, response.status, response.reason, response.headers)
