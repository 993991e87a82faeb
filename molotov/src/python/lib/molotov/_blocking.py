"""Requests outside a run, each on a new connection."""

from molotov import _core
from molotov._bodies import body_of
from molotov._exceptions import errors
from molotov._headers import basic, cookie_header, cookie_values, pairs_of
from molotov._targets import on_host, url_of
from molotov._timeouts import seconds
from molotov._types import decoded, info_of, multidict


def blocking_request(endpoint, verb, session_options, options, wants_json=False):
    """Sends a request on a new connection, and waits for its response."""
    session_options = dict(session_options or {})
    session_options.update(options)
    url = url_of(on_host(endpoint), session_options.get("params"))
    headers = pairs_of(session_options.get("headers"))
    if session_options.get("auth") is not None:
        headers.append(("Authorization", basic(session_options["auth"])))
    if session_options.get("cookies"):
        pairs = sorted(cookie_values(session_options["cookies"]).items())
        headers.append(("Cookie", cookie_header(dict(pairs))))
    coroutine = body_of(session_options, session_options)
    try:
        coroutine.send(None)
    except StopIteration as stopped:
        body, parts, content_type = stopped.value
    else:
        coroutine.close()
        raise TypeError("the body of a blocking request has to be there at once")
    if parts is not None:
        body = b"".join(parts)
    if content_type is not None and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", content_type))
    status, pairs, content = _core.request(
        verb.upper(),
        str(url),
        [(name.encode("latin-1"), value.encode("utf-8")) for name, value in headers],
        body,
        seconds(session_options.get("timeout")),
        None if session_options.get("allow_redirects", True) else 0,
    )
    if wants_json:
        stated = multidict(decoded(pairs)).get("Content-Type", "")
        kind = stated.partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            message = "Attempt to decode JSON with unexpected mimetype: %s" % stated
            raise errors.ContentTypeError(info_of(str(url), verb.upper()), (), status=status, message=message)
    return {"content": content, "status": status, "headers": multidict(decoded(pairs))}
