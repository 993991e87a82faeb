# args: --config support/tests.json {none} named
# A test of a configuration file (this file is not used).
