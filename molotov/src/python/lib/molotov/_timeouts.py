"""Timeouts, however a script writes them."""


def limits(timeout):
    """Seconds of a timeout in all, to connect, and between two reads; infinite where there is no limit."""

    def limit(*seconds):
        return min((float(value) for value in seconds if value and value > 0), default=float("inf"))

    if timeout is None or isinstance(timeout, (int, float)):
        return limit(timeout), limit(), limit()
    names = ("total", "connect", "sock_connect", "sock_read")
    total, connect, sock_connect, sock_read = (getattr(timeout, name, None) for name in names)
    return limit(total), limit(connect, sock_connect), limit(sock_read)


def session_limits(options):
    """The limits that a session's options ask for, in any spelling; `None` where nothing is said."""
    if options.get("timeout") is not None:
        return limits(options["timeout"])
    if options.get("conn_timeout") is None and "read_timeout" not in options:
        return None
    # As aiohttp: five minutes, unless they are replaced.
    total = limits(options.get("read_timeout", 300))[0]
    return total, limits(options.get("conn_timeout"))[0], float("inf")


def seconds(timeout):
    """Seconds of a timeout, however it is written; `None` where nothing is said."""
    if timeout is None or isinstance(timeout, (int, float)):
        return float(timeout) if timeout else None
    total = getattr(timeout, "total", None)
    if total is None:
        total = getattr(timeout, "sock_read", None)
    return float(total) if total else None
