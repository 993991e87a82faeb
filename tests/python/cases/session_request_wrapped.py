# args: --single-run -c
# session._request replaced by a wrapper, as scripts do for logs and retries.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    original = session._request

    async def wrapper(method, url, **keywords):
        print("SEEN asked", method.upper(), keywords.get("json"))
        response = await original(method, url, **{**keywords, "headers": {"X-Wrapped": "1"}})
        print("SEEN answered", response.status)
        return response

    session._request = wrapper
    async with session.get(url) as response:
        print("SEEN", (await response.json())["headers"]["x-wrapped"])
    response = await session.post(url, json={"a": 1})
    print("SEEN", (await response.json())["headers"]["x-wrapped"])
    async with session.request("put", url, data=b"x") as response:
        print("SEEN", (await response.json())["method"])
    del session._request
    async with session.get(url) as response:
        print("SEEN", (await response.json())["headers"].get("x-wrapped"))
