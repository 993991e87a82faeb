# args: --config support/tests.json {none}
# The test called "test" of a configuration file (this file is not used).
