# args: --config support/numbers.json {none}
# Booleans of a configuration file that are written as numbers (this file is not used).
