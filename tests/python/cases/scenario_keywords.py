# args: --single-run -c
# weight, delay and name given by keyword; --single-run goes in name order.
from molotov import scenario

@scenario(weight=40, name="zebra")
async def first(session):
    print("SEEN zebra")

@scenario(name="ant", delay=0.01, weight=0.5)
async def second(session):
    print("SEEN ant")

@scenario(weight=98.7)
async def middle(session):
    print("SEEN middle")
