# args: --single-run -c
# run_in_executor, to_thread, call_soon_threadsafe, run_coroutine_threadsafe.
import asyncio
import os
import threading
from molotov import scenario

@scenario()
async def one(session):
    loop = asyncio.get_running_loop()
    main = threading.get_ident()
    print("SEEN", await loop.run_in_executor(None, lambda: threading.get_ident() != main))
    print("SEEN", await asyncio.to_thread(sum, [1, 2, 3]))
    future = loop.create_future()
    threading.Thread(target=lambda: loop.call_soon_threadsafe(future.set_result, "from a thread")).start()
    print("SEEN", await future)
    async def ask():
        async with session.get(os.environ["TARGET"] + "/") as response:
            return response.status
    def blocking():
        return asyncio.run_coroutine_threadsafe(ask(), loop).result(10)
    print("SEEN", await asyncio.to_thread(blocking), threading.current_thread() is threading.main_thread())
