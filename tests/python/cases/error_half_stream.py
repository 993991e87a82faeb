# args: --single-run -c
# A body that ends too early, read as a stream; and one left unread.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/half") as response:
        try:
            async for piece in response.content.iter_any():
                print("SEEN", piece)
        except Exception as error:
            print("SEEN", type(error).__name__)
    async with session.get(os.environ["TARGET"] + "/half") as response:
        pass
    print("SEEN left alone", response.status)
