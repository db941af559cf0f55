"""A small dictionary: what belongs to what, what excludes what, and what is another word for what. All by stem."""

from __future__ import annotations

from local.emulators.teacher.answers.text import stem

KINDS: dict[str, str] = {
    "fruit": "apricot mango pear papaya plum cherry apple banana grape lemon orange peach melon strawberry kiwi",
    "musical instrument": "cello trumpet harp flute banjo oboe violin guitar piano drum ukulele clarinet accordion",
    "tool": "hammer chisel spanner saw pliers screwdriver wrench drill axe file shovel rake",
    "bird": "heron sparrow owl magpie pelican finch duck ducks goose eagle parrot pigeon robin hen swan penguin",
    "vehicle": "tram lorry scooter ferry minibus bicycle car bus train van motorcycle truck boat coach taxi bike",
    "piece of furniture": "wardrobe armchair bookcase stool desk bench sofa table chair bed shelf cupboard couch",
    "garment": "cardigan trousers blouse mittens skirt waistcoat coat scarf hat jumper shirt jacket dress sock glove",
    "metal": "copper iron zinc silver tin nickel gold steel lead aluminium platinum bronze brass",
    "insect": "beetle wasp ladybird moth grasshopper ant bee fly butterfly mosquito cricket",
    "vegetable": "turnip leek spinach celery cabbage parsnip carrot potato onion pea broccoli lettuce",
    "flower": "rose roses tulip tulips lily lilies daisy daisies orchid violet sunflower poppy",
    "dog": "puppy poodle terrier labrador hound",
    "cat": "kitten tomcat tabby",
    "horse": "pony foal mare stallion",
    "animal": "dog cat horse bird insect cow goat sheep mouse whale lion fox puppy kitten pony parrot duck",
    "tree": "oak pine birch maple willow elm",
    "person": "woman man girl boy child nurse teacher student worker driver guest people lady guy",
    "film": "documentary movie",
    "drink": "tea coffee juice milk water wine beer",
    "building": "library museum bakery pharmacy school church hospital hotel castle chapel tower lighthouse clinic",
    "colour": "red green blue yellow grey white black brown purple pink orange",
    "country": "france spain italy germany japan china india brazil mexico canada egypt kenya",
}  # fmt: skip

EXCLUSIVE = (
    "red green blue yellow grey white black brown purple pink",
    "monday tuesday wednesday thursday friday saturday sunday",
    "january february march april may june july august september october november december",
    "morning afternoon evening night",
    "stone wood metal glass paper plastic",
    "lemon chocolate carrot almond cherry vanilla",
    "cycles walks drives swims flies",
    "north south east west",
    "spring summer autumn winter",
    "father mother sister brother aunt uncle",
)
ANTONYMS = (
    *(
        "keep sell",
        "dry rain",
        "awake sleep",
        "old new",
        "long short",
        "late early",
        "late time",
        "fail pass",
    ),
    *(
        "behind front",
        "unemployed work",
        "unemployed job",
        "open closed",
        "win lose",
        "love hate",
        "hot cold",
    ),
    *(
        "inside outside",
        "indoors outdoors",
        "empty full",
        "empty crowded",
        "big small",
        "large small",
        "man woman",
    ),
    *(
        "boy girl",
        "alive dead",
        "first last",
        "rich poor",
        "happy sad",
        "present absent",
        "male female",
        "up down",
    ),
    *(
        "asleep feed",
        "asleep play",
        "asleep repair",
        "asleep sell",
        "asleep run",
        "asleep walk",
        "asleep read",
    ),
    *(
        "sit stand",
        "sit run",
        "stand lie",
        "increase decrease",
        "rise fall",
        "start stop",
        "buy steal",
    ),
)
SYNONYMS = (
    *(
        "asleep sleep",
        "job work",
        "buy sell",
        "documentary film movie",
        "wear dress",
        "ship boat ferry",
    ),
    *(
        "large big huge",
        "small little tiny",
        "start begin",
        "end finish",
        "child kid",
        "repair fix mend",
    ),
    *(
        "street road",
        "near close",
        "film movie",
        "couch sofa",
        "shop store",
        "quick fast",
        "postpone delay",
    ),
)
_OPPOSITES = (
    "early:late ancient:modern generous:stingy shallow:deep noisy:quiet rough:smooth brave:cowardly "
    "transparent:opaque scarce:plentiful blunt:sharp victory:defeat arrive:depart expand:shrink "
    "borrow:lend hot:cold old:new big:small heavy:light wet:dry rich:poor strong:weak open:closed "
    "ascend:descend accept:reject guilty:innocent public:private rare:common "
)
OPPOSITES = {
    word: opposite for word, _, opposite in (pair.partition(":") for pair in _OPPOSITES.split())
}
SCALES: dict[str, tuple[str, ...]] = {
    "largest": (
        "ant",
        "mouse",
        "cat",
        "dog",
        "goat",
        "horse",
        "elephant",
        "whale",
        "mountain",
        "planet",
    ),
    "fastest": ("snail", "tortoise", "cyclist", "car", "racing car", "jet plane", "rocket"),
    "heaviest": ("feather", "teaspoon", "brick", "piano", "car", "locomotive", "ship"),
    "longest": ("second", "minute", "hour", "day", "week", "month", "year", "decade", "century"),
    "hottest": (
        "ice",
        "cold water",
        "lukewarm water",
        "boiling water",
        "molten iron",
        "core of the sun",
    ),
}


def _by_member(groups: dict[str, str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for kind, members in groups.items():
        for member in members.split():
            found.setdefault(stem(member), set()).add(stem(kind.split()[-1]))
    return {member: frozenset(kinds) for member, kinds in found.items()}


def _neighbours(groups: tuple[str, ...]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for group in groups:
        stems = {stem(word) for word in group.split()}
        for word in stems:
            found.setdefault(word, set()).update(stems - {word})
    return {word: frozenset(others) for word, others in found.items()}


KINDS_OF = _by_member(KINDS)
SAME = _neighbours(SYNONYMS)
EXCLUDED = _neighbours(EXCLUSIVE)
OPPOSED = _neighbours(ANTONYMS)
NOTHING: frozenset[str] = frozenset()


def means(stated: str, asked: str) -> bool:
    """Whether what is stated (a stem) is the same as, or a kind of, what is asked for."""
    if stated == asked or asked in SAME.get(stated, NOTHING):
        return True
    kinds = KINDS_OF.get(stated, NOTHING)
    return asked in kinds or any(asked in KINDS_OF.get(kind, NOTHING) for kind in kinds)


def opposed(stated: str, asked: str) -> bool:
    """Whether the two stems cannot both hold of one thing."""
    return asked in OPPOSED.get(stated, NOTHING) or asked in EXCLUDED.get(stated, NOTHING)
