# args: --version {none}
# --version ends with 0 (this file is not used).
