"""People, things and places that several recipes draw from."""

from __future__ import annotations

NAMES = (
    *(
        "Amara",
        "Bruno",
        "Chloe",
        "Dario",
        "Elif",
        "Farid",
        "Greta",
        "Hugo",
        "Ines",
        "Jonas",
        "Keiko",
        "Liam",
    ),
    *(
        "Mina",
        "Nadia",
        "Oskar",
        "Priya",
        "Quentin",
        "Rosa",
        "Samir",
        "Tessa",
        "Umar",
        "Vera",
        "Wanda",
        "Yusuf",
    ),
)
THINGS = (
    *(
        "marbles",
        "stamps",
        "postcards",
        "shells",
        "stickers",
        "beads",
        "buttons",
        "badges",
        "comics",
        "seeds",
    ),
    *("magnets", "coins", "crayons", "envelopes"),
)
SHOP = (
    *(
        ("notebook", "notebooks"),
        ("mug", "mugs"),
        ("candle", "candles"),
        ("poster", "posters"),
        ("scarf", "scarves"),
    ),
    *(
        ("lamp", "lamps"),
        ("bowl", "bowls"),
        ("kite", "kites"),
        ("puzzle", "puzzles"),
        ("torch", "torches"),
    ),
)
