# args: --single-run -c
# Subprocesses with pipes and codes.
import asyncio
import sys
from molotov import scenario

@scenario()
async def one(session):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; print(sys.stdin.read()[::-1]); sys.exit(3)",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate(b"abc")
    print("SEEN", out.strip(), process.returncode)
    process = await asyncio.create_subprocess_shell("exit 4")
    print("SEEN", await process.wait())
