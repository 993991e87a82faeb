# args: --single-run -c
# Scenarios made in a loop, by closures and by functools.
import functools
import os
from molotov import scenario

def make(path):
    @scenario(name="get " + path)
    async def fetch(session):
        async with session.get(os.environ["TARGET"] + path) as response:
            print("SEEN", path, response.status)

for path in ("/", "/empty", "/status/404"):
    make(path)

def logged(function):
    @functools.wraps(function)
    async def inner(session):
        print("SEEN before", function.__name__)
        await function(session)
    return inner

@scenario()
@logged
async def wrapped(session):
    print("SEEN wrapped")
