# args: --single-run -c {none} no_such_file.py
# The script does not exist (this file is not used).
