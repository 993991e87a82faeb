"""aiohttp's cookie jars over the cookies of the engine."""

import time
from collections import defaultdict
from http.cookies import CookieError, Morsel, SimpleCookie

from molotov import _core
from molotov._aiohttp import imported
from molotov._classes import passes_for


class _OverEngine:
    """The interface of a jar. `_engine` has the cookies."""

    def __iter__(self):
        for entry in self._engine.all():
            try:
                yield _morsel(*entry)
            except CookieError:
                # Python does not allow the name. The engine sends the cookie nevertheless.
                continue

    def __len__(self):
        return len(self._engine.all())

    def clear(self, predicate=None):
        if predicate is None:
            self._engine.clear()
            return
        for entry in self._engine.all():
            if predicate(_morsel(*entry)):
                self._engine.remove(entry[2], entry[4], entry[0])

    def clear_domain(self, domain):
        self.clear(lambda cookie: cookie["domain"] == domain or cookie["domain"].endswith("." + domain))

    def filter_cookies(self, request_url=""):
        cookies = SimpleCookie()
        for name, value in self._engine.matching(_as_http(str(request_url))):
            morsel = Morsel()
            try:
                morsel.set(name, cookies.value_decode(value)[0], value)
            except CookieError:
                continue
            dict.__setitem__(cookies, name, morsel)
        return cookies

    def update_cookies(self, cookies, response_url=None):
        items = cookies.items() if hasattr(cookies, "items") else cookies
        url = _as_http(str(response_url)) if response_url is not None else ""
        for name, cookie in items:
            if not isinstance(cookie, Morsel):
                plain = SimpleCookie()
                plain[name] = cookie
                cookie = plain[name]
            _keep(self._engine, url, name, cookie)


    @property
    def _cookies(self):
        """The cookies by domain and path, as in aiohttp."""
        found = defaultdict(SimpleCookie)
        for cookie in self:
            dict.__setitem__(found[(cookie["domain"], cookie["path"])], cookie.key, cookie)
        return found

    @_cookies.setter
    def _cookies(self, found):
        if not hasattr(self, "_engine"):
            return
        self._engine.clear()
        for cookies in found.values():
            for name, cookie in cookies.items():
                _keep(self._engine, "", name, cookie)

    @property
    def _host_only_cookies(self):
        """The domains and names of host-only cookies, as in aiohttp."""
        return {(entry[2], entry[0]) for entry in self._engine.all() if entry[3]}

    @_host_only_cookies.setter
    def _host_only_cookies(self, _):
        """Ignores the value, because the engine records them."""


class Jar(_OverEngine):
    """The cookies of a session, if the script does not use aiohttp."""

    __class__ = passes_for("CookieJar")

    def __init__(self, engine):
        self._engine = engine


_CLASSES = {}


def _class_over(base):
    """Returns a class of jars of aiohttp, with the cookies of the engine."""
    made = _CLASSES.get(base)
    if made is None:
        # With a single base, an existing jar can change its class to this one.
        ours = {name: value for name, value in vars(_OverEngine).items() if name not in ("__dict__", "__weakref__", "__doc__")}
        made = _CLASSES[base] = type(base.__name__, (base,), {**ours, "__module__": base.__module__})
    return made


def over(engine):
    """Returns a jar over these cookies."""
    aiohttp = imported()
    if aiohttp is None:
        return Jar(engine)
    kind = _class_over(aiohttp.CookieJar)
    made = kind.__new__(kind)
    made._engine, made._unsafe, made._quote_cookie, made._treat_as_secure_origin = engine, False, True, []
    return made


def is_readable(jar):
    """Returns whether the engine can replace a jar."""
    aiohttp = imported()
    if aiohttp is None or getattr(jar, "_treat_as_secure_origin", None):
        return False
    return type(jar) in (aiohttp.CookieJar, aiohttp.DummyCookieJar) or hasattr(jar, "_engine")


def engine_of(jar):
    """Returns the engine's cookies for a jar of a script, which shows them from now on."""
    if hasattr(jar, "_engine"):
        return jar._engine
    aiohttp = imported()
    if type(jar) is aiohttp.DummyCookieJar:
        return _core.Jar("none")
    engine = _core.Jar("all")
    host_only = getattr(jar, "_host_only_cookies", ())
    expirations = getattr(jar, "_expirations", {})
    for cookie in list(jar):
        domain = cookie["domain"]
        when = expirations.get((domain, cookie["path"], cookie.key)) or expirations.get(
            (domain, cookie["path"].rstrip("/"), cookie.key)
        )
        _keep(engine, "", cookie.key, cookie, (domain, cookie.key) in host_only, when)
    engine.keep("all" if jar._unsafe else "names")
    jar._engine = engine
    jar.__class__ = _class_over(aiohttp.CookieJar)
    return engine


def _keep(engine, url, name, cookie, host_only=False, expires=None):
    domain = cookie["domain"].lstrip(".")
    if not url and not domain:
        engine.share(name, cookie.coded_value)
        return
    path = cookie["path"] if cookie["path"].startswith("/") else None
    parts = ["%s=%s" % (name, cookie.coded_value)]
    if not url:
        secure = "https" if cookie["secure"] else "http"
        url = "%s://%s%s" % (secure, "[%s]" % domain if ":" in domain else domain, path or "/")
        # The domain of an IP address is the address.
        if not host_only and not domain.replace(".", "").isdigit() and ":" not in domain:
            parts.append("Domain=" + domain)
    elif domain:
        parts.append("Domain=" + domain)
    if path is not None:
        parts.append("Path=" + path)
    if expires is not None:
        parts.append("Max-Age=%d" % max(0, round(expires - time.time())))
    elif cookie["max-age"]:
        parts.append("Max-Age=%s" % cookie["max-age"])
    elif cookie["expires"]:
        parts.append("Expires=%s" % cookie["expires"])
    parts += [word for word, attribute in (("Secure", "secure"), ("HttpOnly", "httponly")) if cookie[attribute]]
    engine.set(url, "; ".join(parts))


def _morsel(name, value, domain, host_only, path, secure, http_only, expires):
    morsel = Morsel()
    morsel.set(name, SimpleCookie().value_decode(value)[0], value)
    morsel["domain"], morsel["path"] = domain, path
    if secure:
        morsel["secure"] = True
    if http_only:
        morsel["httponly"] = True
    if expires is not None:
        morsel["expires"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(expires))
    return morsel


def _as_http(url):
    """Returns the HTTP URL with the same cookies as the URL of a WebSocket."""
    return "http" + url[2:] if url.startswith("ws") else url
