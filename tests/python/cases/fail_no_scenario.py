# args: --single-run -c
# Nothing to run.
print("SEEN imported")
