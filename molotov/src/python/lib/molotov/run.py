"""The commands as functions, for programs that start them."""

import os
import signal
import sys

from molotov import _arguments, _core


def main(args=None):
    """Runs the `molotov` command, and returns its exit code. It may be called again, for another run.

    `args` is the command line without the name of the program, a list of strings, `sys.argv` by default. It may also be a namespace with
    the options as attributes, as `run` takes it; then `config` names the configuration file.
    """
    if args is None:
        args = sys.argv[1:]
    if isinstance(args, (list, tuple)):
        return _core.main(["molotov", *args])
    with _arguments.given(args):
        return _core.main(["molotov", *_arguments.line_of(args, config=True)])


def run(args, stream=None):
    """Runs a load test from a program, and returns its counts as a dict.

    `args` has the options as attributes: those of the command line with `_` for `-`, such as `args.max_runs`, and `scenario`, the path or
    module of the script. Missing ones have their defaults, and `config` is not read. `stream` gets the totals, beside the console.

    The dict has `OK` and `FAILED`, the scenarios; `MAX_WORKERS`, `PROCESS`; `SETUP_FAILED` and `SESSION_SETUP_FAILED`, which are 1 if
    that fixture has failed; `REACHED`, `RATIO` in percent, `MINUTE_OK` and `MINUTE_FAILED` of a sizing.

    Raises `SystemExit` if nothing could run, or the run was judged bad otherwise: too many failures (`args.fail`) unless `args.quiet`, or a
    `sys.exit` of the script.
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
    # Ctrl-C is the command's own to follow: it lets what it has started end, and tidies up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    packages = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(_core.program([name, *(sys.argv[1:] if args is None else args)], sys.executable, packages))


def start(args=None):
    """Runs `molostart`, which writes a load test to begin with, and exits. `args` are its arguments, `sys.argv` by default."""
    _program("molostart", args)


def slave(args=None):
    """Runs `moloslave`, which runs a test of a git repository, and exits. `args` are its arguments, `sys.argv` by default."""
    _program("moloslave", args)
