"""The commands, for who starts them from Python."""

import os
import signal
import sys

from molotov import _core


def main(args=None):
    """Runs the command line, and returns the code to exit with. It may be called again, for another run."""
    return _core.main(["molotov", *(sys.argv[1:] if args is None else args)])


def _program(name, args):
    # Ctrl-C is the command's own to follow: it lets what it has started end, and tidies up.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    packages = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(_core.program([name, *(sys.argv[1:] if args is None else args)], sys.executable, packages))


def start(args=None):
    """`molostart`: writes a load test to begin with."""
    _program("molostart", args)


def slave(args=None):
    """`moloslave`: runs a test of a git repository."""
    _program("moloslave", args)
