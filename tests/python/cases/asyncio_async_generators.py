# args: --single-run -c
# Asynchronous generators: closed early, and by the end of a loop.
import asyncio
from molotov import scenario

async def numbers():
    try:
        for n in range(10):
            await asyncio.sleep(0)
            yield n
    finally:
        await asyncio.sleep(0)
        print("SEEN closed")

@scenario()
async def one(session):
    generator = numbers()
    async for n in generator:
        if n == 2:
            break
    await generator.aclose()
    print("SEEN", n, [n async for n in numbers() if n % 4 == 0])
    sender = numbers()
    print("SEEN", await sender.asend(None), await sender.__anext__())
    try:
        await sender.athrow(KeyError("in"))
    except KeyError as error:
        print("SEEN", repr(error))
