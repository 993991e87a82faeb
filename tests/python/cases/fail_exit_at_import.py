# args: --single-run -c
# sys.exit() while the script is imported.
import sys

print("SEEN before")
sys.exit(5)
