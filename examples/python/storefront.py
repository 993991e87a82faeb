"""Shoppers of a shop: `molotov --host http://localhost:8080 -w 4 -r 3 storefront.py`; the target server has the shop."""
import asyncio
import os

import molotov

USERS = molotov.data("storefront.csv")


@molotov.setup_session()
async def log_in(worker_id, session):
    async with session.post("/shop/login", json=USERS.row()) as response:
        molotov.get_context(session).tokens = await response.json()


async def search(session):
    """Searches, with a new token if the last one has expired, and later if there are too many requests."""
    context = molotov.get_context(session)
    while True:
        headers = {"Authorization": "Bearer " + context.tokens["token"]}
        tags = {"page": "search"}
        async with session.get("/shop/search?q=book", headers=headers, expect=[200, 401, 429], tags=tags) as response:
            if response.status == 200:
                return (await response.json())["items"]
            if response.status == 401:
                async with session.post("/shop/refresh") as refreshed:
                    context.tokens = await refreshed.json()
            else:
                molotov.count("limited")
                await molotov.think(float(response.headers["Retry-After"]))


@molotov.scenario(weight=2, delay="exp(10ms)")
async def buy(session):
    items = await search(session)
    molotov.check("has items", len(items) > 0)
    await molotov.think(0.01, 0.05)
    async with molotov.group("checkout"):
        csrf = {"X-CSRF-Token": molotov.get_context(session).tokens["csrf"]}
        order = {"item": items[0]["id"], "reference": molotov.unique()}
        async with session.post("/shop/orders", headers=csrf, json=order, raise_for_status=True) as response:
            number = (await response.json())["id"]
        async with session.get("/shop/orders/%d" % number) as response:
            molotov.check("paid", response.status == 200)
        molotov.record("basket", items[0]["price"])
    async with session.get("/shop/events") as response:
        molotov.check("is sent", [event.data async for event in molotov.server_sent_events(response)][-1] == "sent")
    await session.get("/shop/orders/999999", expect=404)


@molotov.scenario(name="chat and upload")
async def talk(session):
    await session.post("/shop/avatar", data={"file": open(__file__, "rb")}, raise_for_status=True)
    async with molotov.group("chat"), session.ws_connect("/shop/live") as socket:
        await socket.send_str("hello")
        molotov.check("echoes", await socket.receive_str() == "hello")
    async with molotov.operation("LINE", "stock") as operation:
        host, port = os.environ.get("MOLOTOV_LINES", "127.0.0.1:8081").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"echo book\n")
        operation.status = (await reader.readline()).decode().split()[0]
        writer.close()
    molotov.check("in stock", operation.status == "OK")
