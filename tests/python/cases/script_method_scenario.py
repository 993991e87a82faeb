# args: --single-run -c
# Bound methods and callable objects as scenarios.
from molotov import scenario

class Shop:
    name = "shop"

    async def visit(self, session):
        print("SEEN", self.name, session is not None)

class Callable:
    async def __call__(self, session):
        print("SEEN called")

scenario(name="method")(Shop().visit)
try:
    scenario(name="object")(Callable())
    print("SEEN accepted")
except Exception as error:
    print("SEEN", type(error).__name__)
