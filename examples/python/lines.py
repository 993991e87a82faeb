"""A protocol that is not HTTP, over connections of asyncio's: `molotov -w 2 -r 3 lines.py`."""

import asyncio
import os

import molotov

HOST, _, PORT = os.environ.get("MOLOTOV_LINES", "127.0.0.1:8081").rpartition(":")


@molotov.setup_session()
async def connect(worker_id, session):
    session.reader, session.writer = await asyncio.open_connection(HOST, int(PORT))


@molotov.scenario()
async def echo(session):
    session.writer.write(b"hello\n")
    await session.writer.drain()
    assert await session.reader.readline() == b"5 hello\n"


@molotov.teardown_session()
async def disconnect(worker_id, session):
    session.writer.close()
    await session.writer.wait_closed()
