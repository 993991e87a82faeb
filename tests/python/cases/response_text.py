# args: --single-run -c
# Text in several encodings.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"]
    for charset in ("utf-8", "latin-1", "utf-16", "cp1252"):
        async with session.get(url + "/text?charset=" + charset) as response:
            print("SEEN", response.charset, response.get_encoding() if charset != "utf-16" else "", repr(await response.text()))
    async with session.get(url + "/text-plain") as response:
        print("SEEN", response.charset, await response.text(), repr(await response.text(encoding="latin-1")))
    async with session.get(url + "/text?charset=latin-1") as response:
        print("SEEN", repr(await response.text("utf-8", errors="replace")))
        for options in ({"encoding": "utf-8"}, {"encoding": "no-such"}):
            try:
                await response.text(**options)
            except Exception as error:
                print("SEEN", type(error).__name__)
