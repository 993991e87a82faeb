"""Proxies and logins from the environment, for sessions with `trust_env`."""

import os

from molotov._targets import relative

_LOGINS = []


def prepare():
    """Imports modules that take time, before requests wait for them. Most sessions do not need them."""
    import netrc
    import urllib.request

    return netrc, urllib.request


def proxy(url):
    """Returns the proxy of a URL by `http_proxy`, `https_proxy` and `no_proxy`, and its login. Both are `None` without a proxy."""
    from urllib.request import getproxies, proxy_bypass

    found = getproxies().get(url.scheme)
    if url.host is None or found is None or proxy_bypass(url.host):
        return None, None
    found = relative(found)
    return found, None if found.user is not None or found.host is None else login(found.host)


def login(host):
    """Returns the user and the password of a host in the file `NETRC` or `~/.netrc`, or `None`."""
    if not _LOGINS:
        _LOGINS.append(_read_logins())
    found = _LOGINS[0].authenticators(host) if _LOGINS[0] is not None else None
    if found is None:
        return None
    user, account, password = found
    return user or account or "", password or ""


def _read_logins():
    import netrc

    path = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
    try:
        return netrc.netrc(path)
    except (OSError, netrc.NetrcParseError):
        return None
