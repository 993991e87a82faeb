# args: --single-run -c
# A listener takes no errors of a body away, and meets them itself.
import os
import aiohttp
from molotov import scenario, events

@scenario()
async def one(session):
    for path in ("/half", "/half-chunked", "/bad-gzip"):
        async with session.get(os.environ["TARGET"] + path) as response:
            try:
                print("SEEN", await response.text())
            except aiohttp.ClientPayloadError as error:
                print("SEEN", path, type(error).__name__)

@scenario()
async def two(session):
    for path in ("/half", "/half-chunked", "/bad-gzip"):
        async with session.get(os.environ["TARGET"] + path) as response:
            parts = []
            try:
                async for part in response.content.iter_any():
                    parts.append(part)
            except aiohttp.ClientPayloadError as error:
                print("SEEN", path, b"".join(parts), type(error).__name__)

@scenario()
async def three(session):
    async with session.get(os.environ["TARGET"] + "/half?read") as response:
        try:
            print("SEEN", await response.text())
        except aiohttp.ClientPayloadError as error:
            print("SEEN", type(error).__name__)

@events()
async def listen(event, **info):
    if event == "response_received" and "read" in str(info["request"].url):
        try:
            print("SEEN listener", await info["response"].read())
        except aiohttp.ClientPayloadError as error:
            print("SEEN listener", type(error).__name__)
