# args: -r 2 -c
# A session is for life, and takes attributes of the script's own.
import asyncio
from molotov import scenario, setup_session

@setup_session()
async def opened(worker_id, session):
    session.basket = []

@scenario()
async def one(session):
    session.basket.append(len(session.basket))
    print("SEEN", session.basket, session.closed)
    print("SEEN loop", session.loop is asyncio.get_running_loop())
    print("SEEN class", [c.__name__ for c in type(session).__mro__ if c.__name__ == "ClientSession"])
