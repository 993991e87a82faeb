# args: --single-run -c
# Headers that are not text.
import os
from molotov import scenario

@scenario()
async def one(session):
    for headers in ({"X-Number": 1}, {"X-None": None}, {"X-Line": "a\r\nb: c"}, {"X-Letters": "h\u00e9"}):
        try:
            async with session.get(os.environ["TARGET"] + "/echo", headers=headers) as response:
                print("SEEN", response.status)
        except Exception as error:
            print("SEEN", list(headers)[0], type(error).__name__)
