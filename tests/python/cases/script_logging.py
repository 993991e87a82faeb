# args: --single-run -c
# Logging of the script's own to stdout.
import logging
import sys
from molotov import scenario

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("SEEN %(levelname)s %(name)s %(message)s"))
logger = logging.getLogger("mine")
logger.addHandler(handler)
logger.setLevel(logging.INFO)

@scenario()
async def one(session):
    logger.info("told %d", 5)
    logger.debug("not told")
    try:
        raise ValueError("x")
    except ValueError as error:
        logger.error("caught %s", error)
