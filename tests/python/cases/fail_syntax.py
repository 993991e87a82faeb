# args: --single-run -c
# A script that is not Python.
print("SEEN never")
def broken(:
    pass
