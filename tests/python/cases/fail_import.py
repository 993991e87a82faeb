# args: --single-run -c
# An import that does not exist.
print("SEEN before")
import no_such_module_anywhere
