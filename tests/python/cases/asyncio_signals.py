# args: --single-run -c
# Handlers of signals of the script's own.
import asyncio
import os
import signal
from molotov import scenario

@scenario()
async def one(session):
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, event.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(event.wait(), 5)
    print("SEEN handler", loop.remove_signal_handler(signal.SIGUSR1))
    caught = []
    signal.signal(signal.SIGUSR2, lambda number, frame: caught.append(number == signal.SIGUSR2))
    os.kill(os.getpid(), signal.SIGUSR2)
    await asyncio.sleep(0.05)
    print("SEEN", caught)
