"""Sessions of your own kind, made by a factory: `molotov -w 2 -r 3 session_kinds.py`.

The original supports them since 2.7. The default of a scenario's parameter `session_factory` names the kind."""

import asyncio
import os

import molotov


class Lines:
    def __init__(self, address):
        self.host, _, self.port = address.rpartition(":")

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection(self.host, int(self.port))
        return self

    async def __aexit__(self, *exception):
        self.writer.close()

    async def echo(self, text):
        self.writer.write(b"echo " + text + b"\n")
        return await self.reader.readline()


@molotov.session_factory("lines")
def lines(loop, console, verbose, statsd, trace_config, address=None, **keywords):
    return Lines(os.environ.get("MOLOTOV_LINES", address))


@molotov.scenario()
async def echo(session, session_factory="lines", address="127.0.0.1:8081"):
    assert await session.echo(b"hi") == b"OK hi\n"
