# args: --single-run -c
# sleep, gather, its errors and its order.
import asyncio
from molotov import scenario

async def work(number):
    await asyncio.sleep(0.2 - number * 0.05)
    print("SEEN done", number)
    if number == 1:
        raise ValueError(number)
    return number

@scenario()
async def one(session):
    results = await asyncio.gather(*(work(n) for n in range(3)), return_exceptions=True)
    print("SEEN", [repr(result) for result in results])
    try:
        await asyncio.gather(work(1), work(0))
    except ValueError as error:
        print("SEEN", repr(error))
    await asyncio.sleep(0.4)
