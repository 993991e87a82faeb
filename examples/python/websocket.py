"""A WebSocket: `molotov --host http://127.0.0.1:8080 -w 2 -r 3 websocket.py`."""

import asyncio

import molotov


@molotov.scenario()
async def chat(session):
    async with session.ws_connect("/chat", name="chat") as socket:
        # The time from the message to its answer is measured.
        async with molotov.operation("WS", "say hello"):
            await socket.send_json({"text": "hello"})
            answer = await socket.receive_json()
        molotov.check("is greeted", answer["text"] == "hello")

        # One task sends while another one receives.
        async def send():
            for number in range(1, 6):
                await socket.send_str("message %d" % number)

        async def receive():
            return [await socket.receive_str() for _ in range(5)]

        _, received = await asyncio.gather(send(), receive())
        molotov.check("gets all messages", received[-1] == "message 5")
    assert socket.close_code == 1000, "the server closed the WebSocket with %s" % socket.close_code
