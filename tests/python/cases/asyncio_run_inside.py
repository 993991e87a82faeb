# args: --single-run -c
# asyncio.run and run_until_complete inside a scenario.
import asyncio
import warnings
from molotov import scenario

warnings.simplefilter("ignore")

@scenario()
async def one(session):
    for attempt in (lambda c: asyncio.run(c), lambda c: session.loop.run_until_complete(c)):
        work = asyncio.sleep(0)
        try:
            attempt(work)
            print("SEEN accepted")
        except RuntimeError as error:
            print("SEEN RuntimeError")
        work.close()
