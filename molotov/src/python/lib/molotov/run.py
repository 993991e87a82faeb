"""The commands as functions."""

import os
import signal
import sys

from molotov import _arguments, _core


def main(args=None):
    """Runs the `molotov` command, and returns its exit code. May be called several times.

    `args` is the command line without the name of the program, as a list of strings. The default is `sys.argv`. It may also be a
    namespace with the options as attributes, as for `run`. Its attribute `config` then names the configuration file.
    """
    if args is None:
        args = sys.argv[1:]
    if isinstance(args, (list, tuple)):
        return _core.main(["molotov", *args])
    with _arguments.given(args):
        return _core.main(["molotov", *_arguments.line_of(args, config=True)])


def run(args, stream=None):
    """Runs a load test from a program, and returns its counts as a dict.

    `args` has the options of the command line as attributes, with `_` for `-`, such as `args.max_runs`. Its attribute `scenario` is the
    path or the module of the script. Missing options have their defaults. `config` is ignored. The totals are also written to `stream`.

    The dict has the numbers of scenarios `OK` and `FAILED`, `MAX_WORKERS`, and `PROCESS`. `SETUP_FAILED` and `SESSION_SETUP_FAILED` are
    1 if that fixture failed. A sizing sets `REACHED`, `RATIO` in percent, `MINUTE_OK` and `MINUTE_FAILED`.

    Raises `SystemExit` if the run could not start, if the script called `sys.exit`, or if there were too many failures (`args.fail`)
    without `args.quiet`.
    """
    quiet = getattr(args, "quiet", False)
    with _arguments.given(args):
        code, counts = _core.run(["molotov", *_arguments.line_of(args)])
    counts = {name: count if name == "RATIO" else int(count) for name, count in counts}
    if counts and stream is not None and not quiet:
        stream.write("SUCCESSES: %d | FAILURES: %d\n" % (counts["OK"], counts["FAILED"]))
        stream.flush()
    fail = getattr(args, "fail", None)
    excused = counts and (
        counts["SETUP_FAILED"] or counts["SESSION_SETUP_FAILED"] or (quiet and fail is not None and counts["FAILED"] >= fail)
    )
    if code and not excused:
        sys.exit(code)
    return counts


def _program(name, args):
    # The command handles Ctrl-C: it waits for its children, and cleans up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    packages = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(_core.program([name, *(sys.argv[1:] if args is None else args)], sys.executable, packages))


def start(args=None):
    """Runs `molostart`, which writes a first load test, and exits. `args` are its arguments, `sys.argv` by default."""
    _program("molostart", args)


def slave(args=None):
    """Runs `moloslave`, which runs a test of a git repository, and exits. `args` are its arguments, `sys.argv` by default."""
    _program("moloslave", args)
