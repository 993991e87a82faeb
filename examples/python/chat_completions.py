"""Chat completions that stream, with their times between tokens: `molotov -w 2 -r 3 chat_completions.py`."""

import os

import molotov

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080") + "/v1/chat/completions"

QUESTION = {
    "model": "small",
    "messages": [{"role": "user", "content": "What is load testing?"}],
    "stream": True,
}


@molotov.scenario()
async def chat(session):
    tokens, done = [], False
    async with session.post(URL, json=QUESTION) as response:
        # The connection is kept if the stream is read to its end, which comes after `[DONE]`.
        async for event in molotov.server_sent_events(response):
            if event.data == "[DONE]":
                done = True
                continue
            # The first chunk may have a role only, and the last one a reason to finish.
            if event.json()["choices"][0]["delta"].get("content"):
                tokens.append(event.since_start)
    assert done, "the answer ended after %d tokens, before `[DONE]`" % len(tokens)
    molotov.count("tokens", len(tokens))
    if len(tokens) > 1:
        molotov.record("tokens/s", (len(tokens) - 1) / (tokens[-1] - tokens[0]))
