"""What the environment says of requests, for sessions with `trust_env`: proxies and logins."""

import netrc
import os
from urllib.request import getproxies, proxy_bypass

_LOGINS = []


def has_proxy(url):
    """Whether `http_proxy`, `https_proxy` and `no_proxy` send a URL through a proxy."""
    return url.host is not None and url.scheme in getproxies() and not proxy_bypass(url.host)


def login(host):
    """User and password of a host in the file that `NETRC` names, or in `~/.netrc`; `None` where it has none."""
    if not _LOGINS:
        _LOGINS.append(_read_logins())
    found = _LOGINS[0].authenticators(host) if _LOGINS[0] is not None else None
    if found is None:
        return None
    user, account, password = found
    return user or account or "", password or ""


def _read_logins():
    path = os.environ.get("NETRC") or os.path.expanduser("~/.netrc")
    try:
        return netrc.netrc(path)
    except (OSError, netrc.NetrcParseError):
        return None
