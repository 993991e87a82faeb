# args: --single-run -c
# With trust_env, proxies and logins come from the environment.
import os
import tempfile
from molotov import scenario, setup

TARGET = os.environ["TARGET"]
for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
    os.environ.pop(name, None)
os.environ["http_proxy"] = TARGET
os.environ["no_proxy"] = "127.0.0.1,spared.invalid"
with tempfile.NamedTemporaryFile("w", delete=False) as logins:
    logins.write("machine 127.0.0.1 login user password secret\n")
os.environ["NETRC"] = logins.name

@setup()
async def prepare(worker_id, args):
    return {"trust_env": True}

@scenario()
async def one(session):
    print("SEEN", session.trust_env)
    async with session.get("http://proxied.invalid/echo") as response:
        answer = await response.json()
        print("SEEN", response.status, answer["target"], answer["headers"]["host"])
    async with session.post("http://proxied.invalid/echo", params={"a": "1"}, data=b"x") as response:
        answer = await response.json()
        print("SEEN", response.status, answer["target"], answer["body"])
    async with session.get(TARGET + "/echo") as response:
        answer = await response.json()
        print("SEEN", answer["target"], answer["headers"].get("authorization"))
    async with session.get(TARGET + "/echo", headers={"X-Own": "1"}) as response:
        print("SEEN", (await response.json())["headers"].get("authorization"))
    try:
        await session.get("http://spared.invalid/echo")
    except OSError as error:
        print("SEEN spared", type(error).__name__)
    os.unlink(logins.name)
