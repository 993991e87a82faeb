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
    status = await get(session, "/slow")
    assert molotov.check("is <b>fast</b>", status == 200)
    for number in range(10):
        molotov.check("<img src=x onerror=alert(3)>", number > 2, "</script><script>alert(4)</script>")
        molotov.record("basket", number - 2.5)
    molotov.count("retries", 2)
    molotov.gauge("queue", 17)


@molotov.scenario(weight=2, name="<img src=x onerror=alert(1)>")
async def hostile(session):
    await get(session, "/fast?query=<script>alert(2)</script>")
    raise ValueError('</script><script>document.title = "hostile"</script>')


@molotov.scenario(weight=2, name=LONG)
async def long(session):
    assert await get(session, "/" + "deep/" * 60) == 200, LONG * 3
