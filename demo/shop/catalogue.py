"""What the demo's shop sells, and to whom."""

from decimal import Decimal
from typing import NamedTuple

DEMO_USERNAME = "demo"
DEMO_PASSWORD = "demo"

TEA_OF_THE_DAY = "tea of the day"


class Item(NamedTuple):
    slug: str
    name: str
    blurb: str
    price: Decimal
    tags: tuple[str, ...]
    reorder_at: int = 5
    shelf_size: int = 40


ITEMS = [
    Item(
        "assam",
        "Assam Mangalam",
        "Malty and strong, and not afraid of milk.",
        Decimal("7.40"),
        ("black",),
    ),
    Item(
        "sencha",
        "Sencha Uji",
        "Steamed green leaves that taste of a wet meadow.",
        Decimal("11.20"),
        ("green",),
        shelf_size=6,  # so that the two of the usual basket leave it low
    ),
    Item(
        "earl-grey",
        "Earl Grey",
        "Keemun with oil of bergamot, from Calabria.",
        Decimal("6.80"),
        ("black", "scented"),
    ),
    Item(
        "lapsang",
        "Lapsang Souchong",
        "Dried over pine fires. A campsite in a cup.",
        Decimal("9.10"),
        ("black", "smoked"),
    ),
    Item(
        "jasmine",
        "Jasmine Pearls",
        "Rolled by hand, scented over six nights.",
        Decimal("14.50"),
        ("green", "scented"),
    ),
    Item(
        "dong-ding",
        "Dong Ding Oolong",
        "Halfway between green and black, and in no hurry.",
        Decimal("16.00"),
        ("oolong",),
    ),
    Item(
        "rooibos",
        "Rooibos",
        "Red, sweet, and kind to late evenings.",
        Decimal("5.20"),
        ("caffeine-free",),
    ),
    Item(
        "kettle",
        "The Quiet Kettle",
        "Cast iron, one litre. It doesn't whistle.",
        Decimal("48.00"),
        ("ware",),
        reorder_at=2,
        shelf_size=12,
    ),
]

USUAL_BASKET = {"assam": 1, "sencha": 2}
