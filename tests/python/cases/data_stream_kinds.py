# args: --single-run -c
# Large bodies that are written while they are sent: files, forms with files, streams.
import io
import os
import tempfile
import aiohttp
from molotov import scenario

SIZE = 300000

class Again:
    def __aiter__(self):
        return pieces()

async def pieces():
    for number in range(30):
        yield b"%d" % (number % 10) * 10000

def bodies(path):
    yield "file", lambda: open(path, "rb")
    yield "text file", lambda: open(path)
    yield "unbuffered file", lambda: open(path, "rb", buffering=0)
    yield "memory", lambda: io.BytesIO(b"m" * SIZE)
    yield "text in memory", lambda: io.StringIO("\u00fc" * SIZE)
    yield "file in a form", lambda: {"name": "x", "file": open(path, "rb")}
    yield "generator in a form", lambda: {"file": pieces()}
    yield "generator", pieces
    yield "iterable", Again
    yield "form data", lambda: form(path)
    yield "multipart", lambda: multipart(path)

def form(path):
    made = aiohttp.FormData()
    made.add_field("name", "x")
    made.add_field("file", open(path, "rb"), filename="odd name.txt", content_type="text/plain")
    return made

def multipart(path):
    made = aiohttp.MultipartWriter("mixed")
    made.append("text part")
    made.append(open(path, "rb"))
    return made

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/empty"
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file.txt")
        with open(path, "w") as file:
            file.write("f" * SIZE)
        for name, make in bodies(path):
            async with session.post(url, data=make()) as response:
                sent = response.request_info.headers
                print("SEEN", name, response.status, "Content-Length" in sent, sent.get("Transfer-Encoding"))
        for options in ({"chunked": True}, {"compress": "gzip"}, {"compress": True}):
            async with session.post(url, data=open(path, "rb"), **options) as response:
                sent = response.request_info.headers
                print("SEEN", options, sent.get("Content-Length"), sent.get("Transfer-Encoding"), sent.get("Content-Encoding"))
        async with session.put(url, data=pieces(), headers={"Content-Length": str(SIZE)}) as response:
            sent = response.request_info.headers
            print("SEEN", sent.get("Content-Length"), sent.get("Transfer-Encoding"))
    # The body of one response is that of the next request.
    async with session.get(os.environ["TARGET"] + "/big?n=%d" % SIZE) as source:
        async with session.post(url, data=source.content) as response:
            print("SEEN", response.status, response.request_info.headers.get("Transfer-Encoding"))
