"""The command, for who starts it from Python."""

import sys

from molotov import _core


def main(args=None):
    """Runs the command line, and exits with its code."""
    sys.exit(_core.main(["molotov", *(sys.argv[1:] if args is None else args)]))
