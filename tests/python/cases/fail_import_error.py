# args: --single-run -c
# An error at import.
print("SEEN before")
raise ValueError("at import")
