"""Converts the options of a run that a program starts to a command line."""

from molotov import _imports


class _Namespace:
    """Replaces `argparse.Namespace` until something imports `argparse`, which takes long."""

    def __init__(self, **attributes):
        for name, value in attributes.items():
            setattr(self, name, value)

    def __repr__(self):
        return _namespace().__repr__(self)

    def __eq__(self, other):
        return _namespace().__eq__(self, other)

    __hash__ = None

    def __contains__(self, name):
        return name in self.__dict__


def _namespace():
    from argparse import Namespace

    return Namespace


class Args(_Namespace):
    """The options of a run as fixtures receive them: an attribute for each option of the command line, such as `args.max_runs`."""


def _inherit():
    Args.__bases__ = (_namespace(),)


_imports.after("argparse", _inherit)


# By kind: the attributes that the original's command line sets, and those that only ours sets.
_SWITCHES = (
    "single_run",
    "debug",
    "sizing",
    "quiet",
    "exception",
    "console",
    "statsd",
    "uvloop",
    "force_shutdown",
    "list",
    "show_secrets",
)
_VALUES = (
    "single_mode",
    "workers",
    "ramp_up",
    "delay",
    "console_update",
    "processes",
    "duration",
    "max_runs",
    "fail",
    "statsd_address",
    "threads",
    "seed",
    "timeout",
    "rate",
    "arrivals",
    "when_busy",
    "warm_up",
)

# The namespace of the run that starts.
_given = []


def line_of(args, config=False):
    """Returns the command line for these options. Missing attributes and `None` mean the default."""
    line = []
    for name in _SWITCHES:
        if getattr(args, name, False):
            line.append("--" + name.replace("_", "-"))
    names = _VALUES
    if getattr(args, "sizing", False):
        names += ("sizing_tolerance",)
    if config:
        names += ("config",)
    for name in names:
        value = getattr(args, name, None)
        if value is not None:
            line.append("--%s=%s" % (name.replace("_", "-"), value))
    line += ["-v"] * int(getattr(args, "verbose", 0) or 0)
    line += ["--stage=%s" % stage for stage in getattr(args, "stage", None) or ()]
    line += ["--use-extension=%s" % extension for extension in getattr(args, "use_extension", None) or ()]
    scenario = getattr(args, "scenario", None)
    return line if scenario is None else [*line, "--", str(scenario)]


class given:
    """Keeps the attributes that are not options, so that fixtures of the run find them in `args`."""

    def __init__(self, args):
        self._args = args

    def __enter__(self):
        _given.append(self._args)

    def __exit__(self, *exception):
        _given.pop()


def complete(namespace):
    """Adds the attributes of the program that are not options to the options of a run."""
    if not _given:
        return
    for name in dir(_given[-1]):
        if not name.startswith("_") and not hasattr(namespace, name) and name not in ("count", "index"):
            setattr(namespace, name, getattr(_given[-1], name))
