# args: --single-run -c
# The same, with nobody catching it.
from molotov import scenario

print("SEEN import")

@scenario()
def plain(session):
    print("SEEN never")
