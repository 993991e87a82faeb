# args: --single-run -c
# call_soon, call_later, call_at and their cancelling.
import asyncio
from molotov import scenario

@scenario()
async def one(session):
    loop = asyncio.get_running_loop()
    order = []
    loop.call_later(0.1, order.append, "later")
    loop.call_at(loop.time() + 0.05, order.append, "at")
    loop.call_soon(order.append, "soon")
    handle = loop.call_later(0.02, order.append, "never")
    handle.cancel()
    order.append("now")
    await asyncio.sleep(0.3)
    print("SEEN", order, handle.cancelled())
    print("SEEN", loop is session.loop, loop is asyncio.get_event_loop(), loop.is_running(), loop.get_debug())
