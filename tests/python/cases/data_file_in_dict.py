# args: --single-run -c
# A file in a dict makes a multipart body.
import os
import tempfile
from molotov import scenario

@scenario()
async def one(session):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "picture.png")
        with open(path, "wb") as file:
            file.write(b"\x89PNG")
        with open(path, "rb") as body:
            async with session.post(os.environ["TARGET"] + "/echo", data={"file": body, "name": "x"}) as response:
                echo = await response.json()
                print("SEEN", echo["headers"]["content-type"].split(";")[0], "picture.png" in echo["body"])
