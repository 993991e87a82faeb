# args: --single-run -c
# A plain function is refused when it is decorated.
from molotov import scenario

try:
    @scenario()
    def plain(session):
        pass
except TypeError as error:
    print("SEEN TypeError")

@scenario()
async def fine(session):
    print("SEEN fine")
