# Imported by a script from beside it.
VALUE = "from the helper"
