"""Timeouts, from any type that scripts pass."""


def limits(timeout):
    """Returns the total timeout, the timeout to connect, and the timeout of a read, in seconds. Infinite without a limit."""

    def limit(*seconds):
        return min((float(value) for value in seconds if value and value > 0), default=float("inf"))

    if timeout is None or isinstance(timeout, (int, float)):
        return limit(timeout), limit(), limit()
    names = ("total", "connect", "sock_connect", "sock_read")
    total, connect, sock_connect, sock_read = (getattr(timeout, name, None) for name in names)
    return limit(total), limit(connect, sock_connect), limit(sock_read)


def session_limits(options):
    """Returns the limits of a session's options, under any of their names, or `None` if there are none."""
    if options.get("timeout") is not None:
        return limits(options["timeout"])
    if options.get("conn_timeout") is None and "read_timeout" not in options:
        return None
    # The default is five minutes, as in aiohttp.
    total = limits(options.get("read_timeout", 300))[0]
    return total, limits(options.get("conn_timeout"))[0], float("inf")


def seconds(timeout):
    """Returns the seconds of a timeout, or `None` without one."""
    if timeout is None or isinstance(timeout, (int, float)):
        return float(timeout) if timeout else None
    total = getattr(timeout, "total", None)
    if total is None:
        total = getattr(timeout, "sock_read", None)
    return float(total) if total else None
