# args: --single-run -c
# Dataclasses, enumerations and copies of things that the script defines.
import copy
import dataclasses
import enum
from molotov import scenario

@dataclasses.dataclass
class Item:
    name: str
    prices: list = dataclasses.field(default_factory=list)

class Colour(enum.Enum):
    RED = 1

@scenario()
async def one(session):
    item = Item("a", [5])
    print("SEEN", copy.deepcopy(item), dataclasses.asdict(item), Colour.RED, Item.__module__)
