"""A protocol of your own, lines over TCP, measured like HTTP: `molotov -w 2 -r 3 lines.py`."""

import asyncio
import os

import molotov

HOST, _, PORT = os.environ.get("MOLOTOV_LINES", "127.0.0.1:8081").rpartition(":")


class Refused(Exception):
    """The server did not reply `OK`."""


class LineSession:
    """A connection for the commands of one worker."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def call(self, command, text):
        """Sends a command, and returns the text of the reply."""
        async with molotov.operation("LINE", command) as operation:
            line = ("%s %s\n" % (command, text)).encode()
            self.writer.write(line)
            await self.writer.drain()
            operation.add_sent(len(line))
            reply = await self.reader.readline()
            operation.add_received(len(reply))
            operation.status, _, text = reply.decode().rstrip("\n").partition(" ")
            if operation.status != "OK":
                raise Refused(text)
            return text


@molotov.setup_session()
async def connect(worker_id, session):
    session.lines = LineSession(*await asyncio.open_connection(HOST, int(PORT)))


@molotov.teardown_session()
async def disconnect(worker_id, session):
    session.lines.writer.close()


@molotov.scenario(weight=3)
async def echo(session):
    assert await session.lines.call("echo", "hello") == "hello"


@molotov.scenario(weight=1)
async def refuse(session):
    """The operation fails, as the server does not know the command. The scenario expects that, and succeeds."""
    try:
        await session.lines.call("refuse", "hello")
    except Refused as refused:
        assert "unknown command" in str(refused)
    else:
        raise AssertionError("the server knows the command")


@molotov.events()
async def show(event, **info):
    if event == "operation_start":
        print("> %(protocol)s %(name)s" % info)
    elif event == "operation_end":
        print("< %(protocol)s %(name)s: %(outcome)s, %(status)s" % info)
