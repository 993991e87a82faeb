# args: -r 4 -c
# Failures and successes are counted.
from molotov import scenario, get_context

@scenario()
async def one(session):
    step = get_context(session).step
    assert step % 2, "even"
    print("SEEN odd", step)
