"""The load test as a Python script. The benchmark `websocket` runs it."""

import asyncio
import os
import time

import molotov

URL = os.environ["ECHO_URL"]
MESSAGE = os.environ["ECHO_MESSAGE"]
MESSAGES = int(os.environ["ECHO_MESSAGES"])
CONNECTIONS = int(os.environ["ECHO_CONNECTIONS"])
INTERVAL = float(os.environ["ECHO_INTERVAL"])

connected = 0
all_connected = asyncio.Event()


@molotov.scenario()
async def echo(session):
    global connected
    async with session.ws_connect(URL, name="chat") as socket:
        connected += 1
        if connected == CONNECTIONS:
            all_connected.set()
        await all_connected.wait()
        # The connections take turns.
        begin = time.perf_counter() + INTERVAL * molotov.worker_number() / CONNECTIONS
        for number in range(MESSAGES):
            await asyncio.sleep(max(0, begin + INTERVAL * number - time.perf_counter()))
            async with molotov.operation("WS", "echo"):
                await socket.send_str(MESSAGE)
                answer = await socket.receive_str()
            assert answer == MESSAGE
