# args: --help {none}
# --help ends with 0 (this file is not used).
