"""The load test whose report the tests of the page view. Its names and errors are long, and contain markup."""

import os

import molotov

TARGET = os.environ["TARGET"]
LONG = ("long " * 60).strip()[:300]


async def get(session, path):
    async with session.get(TARGET + path) as response:
        await response.read()
        return response.status


@molotov.scenario(weight=6)
async def browse(session):
    assert await get(session, "/fast") == 200
    assert await get(session, "/slow") == 200


@molotov.scenario(weight=2, name="<img src=x onerror=alert(1)>")
async def hostile(session):
    await get(session, "/fast?query=<script>alert(2)</script>")
    raise ValueError('</script><script>document.title = "hostile"</script>')


@molotov.scenario(weight=2, name=LONG)
async def long(session):
    assert await get(session, "/" + "deep/" * 60) == 200, LONG * 3
