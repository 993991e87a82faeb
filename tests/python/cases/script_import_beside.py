# args: -c --single-run {none} support/by_module.py
# A module from beside the script (this file is not used).
