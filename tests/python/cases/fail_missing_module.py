# args: --single-run -c {none} no.such.module
# The module does not exist (this file is not used).
