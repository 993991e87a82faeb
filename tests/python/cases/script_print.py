# args: --single-run -c
# print with every option, and writes beside it.
import sys
from molotov import scenario

@scenario()
async def one(session):
    print("SEEN a", "b", 1, sep="-", end="|\n")
    print("SEEN h\u00e9 \u4e2d")
    print("SEEN flushed", flush=True)
    sys.stdout.write("SEEN written\n")
    print("to stderr", file=sys.stderr)
    print("SEEN 100% {braces} %s \\ \t tab")
