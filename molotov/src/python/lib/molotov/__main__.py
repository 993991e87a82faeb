"""`python -m molotov`: the command."""

import sys

from molotov import _core

if __name__ == "__main__":
    sys.exit(_core.main(["python -m molotov", *sys.argv[1:]]))
