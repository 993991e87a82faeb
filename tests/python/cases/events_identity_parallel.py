# args: -w 3 -r 4 -c
# unordered: requests seen
# Requests that are under way at the same time: every answer comes with the very object that was sent.
import asyncio
import os
from molotov import scenario, events, teardown

SENT = {}
ANSWERED = []

@scenario()
async def one(session):
    urls = [os.environ["TARGET"] + "/?n=%d" % n for n in range(5)]
    responses = await asyncio.gather(*(session.get(url) for url in urls))
    for url, response in zip(urls, responses):
        assert str(response.url) == url
        assert response.request.note == url

@events()
async def first(event, **info):
    if event == "sending_request":
        info["request"].note = str(info["request"].url)
        SENT[id(info["request"])] = info["request"]

@events()
async def second(event, **info):
    if event == "response_received":
        request = info["request"]
        ANSWERED.append(SENT[id(request)] is request and request.note == str(info["response"].url))

@teardown()
def tell(wid):
    if wid == 0:
        print("SEEN", all(ANSWERED))
