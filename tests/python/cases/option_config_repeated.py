# args: --config support/repeated.json {none}
# A configuration file in which keys stand twice: the last ones count.
