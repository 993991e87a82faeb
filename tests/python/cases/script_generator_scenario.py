# args: --single-run -c
# An asynchronous generator is no scenario.
from molotov import scenario

try:
    @scenario()
    async def steps(session):
        yield 1
    print("SEEN accepted")
except TypeError as error:
    print("SEEN TypeError")

@scenario()
async def fine(session):
    print("SEEN fine")
