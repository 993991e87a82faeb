# args: --single-run -c
# Further arguments of the decorator reach the function.
from molotov import scenario

try:
    @scenario(1, 0.0, "named", "red", size=3)
    async def one(session, colour, size=0):
        print("SEEN", colour, size)
except Exception as error:
    print("SEEN error", type(error).__name__)

@scenario()
async def other(session):
    print("SEEN other")
