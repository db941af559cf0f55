"""Multiple-choice questions of eight kinds: everyday knowledge, the meaning of words, and short notes to be read."""

from __future__ import annotations

import random

from samples.recipes.drafts import Draft, Frame
from samples.recipes.words import NAMES

SYSTEMS = {
    4: (
        "You answer multiple-choice questions. Reply with one letter only: 'A', 'B', 'C' or 'D'.",
        "You are taking a reading test. Your output should be just the letter of the right choice, A, B, C or D.",
    ),
    5: (
        "Pick the best choice. Your answer is one of 'A', 'B', 'C', 'D' or 'E', without any explanation.",
        "You are a quiz contestant with a calm voice. Give only the letter (A-E) of the correct choice.",
    ),
}
INSTRUCTION = "Choose the correct answer and reply with its letter only.\n\n"
MARKS = ("({}) {}", "{}. {}", "{}) {}")
LETTERS = "ABCDE"

KINDS = {
    "fruit": ("apricot", "mango", "pear", "papaya", "plum", "cherry"),
    "musical instrument": ("cello", "trumpet", "harp", "flute", "banjo", "oboe"),
    "tool": ("hammer", "chisel", "spanner", "saw", "pliers", "screwdriver"),
    "bird": ("heron", "sparrow", "owl", "magpie", "pelican", "finch"),
    "vehicle": ("tram", "lorry", "scooter", "ferry", "minibus", "bicycle"),
    "piece of furniture": ("wardrobe", "armchair", "bookcase", "stool", "desk", "bench"),
    "garment": ("cardigan", "trousers", "blouse", "mittens", "skirt", "waistcoat"),
    "metal": ("copper", "iron", "zinc", "silver", "tin", "nickel"),
    "insect": ("beetle", "wasp", "ladybird", "moth", "grasshopper", "ant"),
    "vegetable": ("turnip", "leek", "spinach", "celery", "cabbage", "parsnip"),
}
OPPOSITES = (
    *(
        ("early", "late"),
        ("ancient", "modern"),
        ("generous", "stingy"),
        ("shallow", "deep"),
        ("noisy", "quiet"),
    ),
    *(
        ("rough", "smooth"),
        ("brave", "cowardly"),
        ("transparent", "opaque"),
        ("scarce", "plentiful"),
    ),
    *(
        ("blunt", "sharp"),
        ("victory", "defeat"),
        ("arrive", "depart"),
        ("expand", "shrink"),
        ("borrow", "lend"),
    ),
)
USES = (
    *(
        ("cut a sheet of paper", "scissors"),
        ("find the way in thick fog", "compass"),
        ("fasten a nail", "hammer"),
    ),
    *(
        ("measure the length of a room", "tape measure"),
        ("water a row of seedlings", "watering can"),
    ),
    *(
        ("look at a distant ship", "binoculars"),
        ("boil water for tea", "kettle"),
        ("dry wet hair", "towel"),
    ),
    *(
        ("tighten a screw", "screwdriver"),
        ("carry soup to the table", "ladle"),
        ("sweep the kitchen floor", "broom"),
    ),
    *(
        ("sew on a button", "needle"),
        ("stay dry in a shower of rain", "umbrella"),
        ("open a locked door", "key"),
    ),
)
PLACES = (
    *(
        ("a stethoscope", "hospital"),
        ("a pulpit", "church"),
        ("an anchor", "ship"),
        ("a blackboard", "classroom"),
    ),
    *(
        ("fresh loaves", "bakery"),
        ("a runway", "airport"),
        ("a judge", "courtroom"),
        ("hay bales", "farm"),
    ),
    *(("a refrigerator", "kitchen"), ("rows of novels", "library"), ("a telescope", "observatory")),
    *(("a diving board", "swimming pool"), ("camels", "desert"), ("a vault full of money", "bank")),
)
HELPERS = (
    *(
        ("a pipe under the sink is leaking", "plumber"),
        ("a tooth has been aching for days", "dentist"),
    ),
    *(
        ("the lights in the hall keep flickering", "electrician"),
        ("the dog has stopped eating", "veterinarian"),
    ),
    *(("the roof beams need replacing", "carpenter"), ("a suit has to be made shorter", "tailor")),
    *(("the car engine will not start", "mechanic"), ("the hedge has grown wild", "gardener")),
    *(
        ("the smoke from the barn is getting thicker", "firefighter"),
        ("the reading glasses are too weak", "optician"),
    ),
)
SCALES = (
    ("largest", ("ant", "mouse", "cat", "goat", "horse", "whale")),
    ("fastest", ("snail", "tortoise", "cyclist", "racing car", "jet plane")),
    ("heaviest", ("feather", "teaspoon", "brick", "piano", "locomotive")),
    ("longest", ("second", "minute", "hour", "week", "decade", "century")),
    ("hottest", ("ice", "lukewarm water", "boiling water", "molten iron", "core of the sun")),
)
HIDDEN = (
    "map",
    "lantern",
    "letter",
    "spare key",
    "whistle",
    "notebook",
    "passport",
    "ring",
    "torch",
)
SPOTS = (
    *(
        "under the doormat",
        "in the blue bowl",
        "behind the clock",
        "on the top shelf",
        "in the left drawer",
    ),
    *(
        "inside the piano stool",
        "between two cushions",
        "below the window seat",
        "in a riding boot",
    ),
)


def _choices(rng: random.Random, question: str, right: str, wrong: list[str]) -> Draft:
    """The right choice among three or four wrong ones, in any order."""
    offered = [right, *rng.sample(wrong, min(len(wrong), rng.choice((3, 4))))]
    rng.shuffle(offered)
    return Draft("\n".join((question, *offered)), LETTERS[offered.index(right)])


def _kind(rng: random.Random) -> Draft:
    kind = rng.choice(sorted(KINDS))
    others = [rng.choice(members) for other, members in KINDS.items() if other != kind]
    article = "an" if kind[0] in "aeiou" else "a"
    return _choices(rng, f"Which of these is {article} {kind}?", rng.choice(KINDS[kind]), others)


def _odd_one_out(rng: random.Random) -> Draft:
    kind, other = rng.sample(sorted(KINDS), 2)
    question = rng.choice(
        ("Which of these words does not belong with the others?", "Which one is the odd one out?")
    )
    members = rng.sample(KINDS[kind], 4)
    return _choices(rng, question, rng.choice(KINDS[other]), members)


def _opposite(rng: random.Random) -> Draft:
    word, right = rng.choice(OPPOSITES)
    wrong = [pair[1] for pair in OPPOSITES if pair[1] != right]
    return _choices(rng, f"Which word means the opposite of \"{word}\"?", right, wrong)  # fmt: skip


def _use(rng: random.Random) -> Draft:
    (purpose, right), name = rng.choice(USES), rng.choice(NAMES)
    question = rng.choice((f"{name} wants to {purpose}. What would help most?",
                           f"What would you use to {purpose}?"))  # fmt: skip
    return _choices(rng, question, right, [tool for _, tool in USES if tool != right])


def _place(rng: random.Random) -> Draft:
    thing, right = rng.choice(PLACES)
    question = rng.choice((f"Where would you be most likely to find {thing}?",
                           f"{rng.choice(NAMES)} is looking at {thing}. Where is that most likely to be?"))  # fmt: skip
    return _choices(rng, question, right, [place for _, place in PLACES if place != right])


def _helper(rng: random.Random) -> Draft:
    trouble, right = rng.choice(HELPERS)
    question = f"At {rng.choice(NAMES)}'s house {trouble}. Who should be called?"
    return _choices(rng, question, right, [helper for _, helper in HELPERS if helper != right])


def _scale(rng: random.Random) -> Draft:
    most, ranking = rng.choice(SCALES)
    offered = sorted(rng.sample(ranking, rng.choice((4, 5))), key=ranking.index)
    return _choices(rng, f"Which of these is the {most}?", offered[-1], offered[:-1])


def _note(rng: random.Random) -> Draft:
    name, things, spots = rng.choice(NAMES), rng.sample(HIDDEN, 3), rng.sample(SPOTS, 5)
    told = [f"The {thing} is {spot}." for thing, spot in zip(things, spots[:3], strict=True)]
    note = f"Before leaving, {name} wrote a note: {' '.join(told)} Please feed the cat."
    return _choices(rng, f"{note} Where is the {things[1]}?", spots[1], [spots[0], *spots[2:]])


FRAMES: list[Frame] = [_kind, _odd_one_out, _opposite, _use, _place, _helper, _scale, _note, _note]


def offered(draft: Draft) -> int:
    """How many choices a question has: 4 or 5."""
    return draft.user.count("\n")


def lay_out(draft: Draft, rng: random.Random) -> str:
    """The question, then its lettered choices, one a line."""
    question, *choices = draft.user.split("\n")
    mark = rng.choice(MARKS)
    lines = [mark.format(letter, choice) for letter, choice in zip(LETTERS, choices, strict=False)]
    heading = rng.choice(("Choices:", "Answer Choices:", "Options:"))
    return "\n".join((f"Question: {question}", heading, *lines))
