# args: --single-run -c
# A file opened for text.
import os
import tempfile
from molotov import scenario

@scenario()
async def one(session):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "note.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write("gr\u00fc\u00df dich")
        with open(path, encoding="utf-8") as body:
            async with session.post(os.environ["TARGET"] + "/echo", data=body) as response:
                echo = await response.json()
                print("SEEN", repr(echo["body"]), echo["headers"].get("content-type"),
                      echo["headers"].get("content-length"))
