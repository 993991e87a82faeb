"""A client of the Autobahn test suite, in Python: sends back the messages of each case."""

import os

import aiohttp

import molotov

SERVER = os.environ["AUTOBAHN_SERVER"]


@molotov.scenario()
async def echo(session):
    async with session.ws_connect(SERVER + "/getCaseCount") as socket:
        cases = int(await socket.receive_str())
    for case in range(1, cases + 1):
        async with session.ws_connect("%s/runCase?case=%d&agent=python" % (SERVER, case), max_msg_size=0) as socket:
            async for message in socket:
                try:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await socket.send_str(message.data)
                    elif message.type is aiohttp.WSMsgType.BINARY:
                        await socket.send_bytes(message.data)
                except ConnectionResetError:
                    # Some cases close the connection without waiting for the answer.
                    break
    async with session.ws_connect(SERVER + "/updateReports?agent=python") as socket:
        await socket.receive()
