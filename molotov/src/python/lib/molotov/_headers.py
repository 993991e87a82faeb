"""Headers, credentials and cookies, from any type that scripts pass."""


def pairs_of(headers):
    if not headers:
        return []
    items = list(headers.items() if hasattr(headers, "items") else headers)
    for name, value in items:
        if not isinstance(value, str):
            raise TypeError("the header %s has to be a str, not %r" % (name, value))
    return [(str(name), str(value)) for name, value in items]


def basic(auth):
    if hasattr(auth, "encode"):
        return auth.encode()
    from base64 import b64encode

    user, password = auth[0], auth[1]
    return "Basic " + b64encode(("%s:%s" % (user, password)).encode("latin-1")).decode()


def cookie_values(cookies):
    from http.cookies import Morsel

    items = cookies.items() if hasattr(cookies, "items") else cookies
    return {name: value.value if isinstance(value, Morsel) else str(value) for name, value in items}


def cookie_header(values):
    from http.cookies import SimpleCookie

    cookies = SimpleCookie()
    for name, value in sorted(values.items()):
        cookies[name] = value
    return "; ".join("%s=%s" % (name, cookies[name].coded_value) for name in cookies)
