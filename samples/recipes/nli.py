"""Pairs of a premise and a hypothesis from fourteen scenes; each scene knows hypotheses for all three labels."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from samples.recipes.drafts import Draft, Frame
from samples.recipes.words import NAMES

SYSTEMS = (
    "You compare two texts. Answer with one of the labels 'entailment', 'contradiction' or 'neutral', nothing else.",
    "Decide whether the hypothesis follows from the premise. Output exactly one label: 'entailment' if it must be "
    "true, 'contradiction' if it cannot be true, 'neutral' if the premise does not settle it.",
    "You label sentence pairs for a linguistics course. Your output is one of the three labels 'contradiction', "
    "'neutral', 'entailment', in lower case and without an explanation.",
)
INSTRUCTION = "Label the relation between the two sentences. Answer with one of 'entailment', 'contradiction' or 'neutral'.\n\n"
HEADINGS = (("Premise", "Hypothesis"), ("Text 1", "Text 2"), ("Sentence 1", "Sentence 2"))
PLACES = (
    "beside the pond",
    "in the park",
    "on the old bridge",
    "outside the station",
    "at the market",
)
TOWNS = ("Brevik", "Almora", "Sandhaven", "Luzhen", "Portell", "Mirova", "Castlebeck")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, slots=True)
class Scene:
    """A premise, and hypotheses that follow from it, cannot be true with it, or are left open by it."""

    premise: str
    entailment: tuple[str, ...]
    contradiction: tuple[str, ...]
    neutral: tuple[str, ...]


def _street(rng: random.Random) -> Scene:
    who, noun = rng.choice(
        (
            ("young woman", "woman"),
            ("tall man", "man"),
            ("little girl", "girl"),
            ("thin boy", "boy"),
        )
    )
    (colour, other), clothing = (
        rng.sample(("green", "red", "yellow", "blue", "grey"), 2),
        rng.choice(("coat", "scarf")),
    )
    doing, broadly = rng.choice((
        ("feeding two ducks", "feeding birds"), ("playing the violin", "playing an instrument"),
        ("selling roses", "selling flowers"), ("repairing a bicycle", "repairing a vehicle"),
    ))  # fmt: skip
    place = rng.choice(PLACES)
    return Scene(
        f"A {who} in a {colour} {clothing} is {doing} {place}.",
        (
            f"A {noun} is {broadly}.",
            f"A person is {doing} {place}.",
            f"The {noun} is wearing a {colour} {clothing}.",
        ),
        (
            f"The {noun} is wearing a {other} {clothing}.",
            f"Nobody is {doing} {place}.",
            f"The {noun} is fast asleep.",
        ),
        (f"The {noun} is waiting for a friend.", f"The {clothing} was a birthday present."),
    )


def _opening_hours(rng: random.Random) -> Scene:
    place, street = (
        rng.choice(("library", "museum", "bakery", "pharmacy")),
        rng.choice(("Mill", "Abbey", "Harbour")),
    )
    opens, closes, other = rng.sample(NUMBERS, 3)
    return Scene(
        f"The {place} on {street} Street opens at {opens} and closes at {closes} on weekdays.",
        (f"The {place} opens at {opens} on weekdays.", f"There is a {place} on {street} Street."),
        (
            f"On weekdays the {place} closes at {other}.",
            f"The {place} on {street} Street is never open on weekdays.",
        ),
        (
            f"The {place} is the oldest building on {street} Street.",
            f"The {place} recently hired a new manager.",
        ),
    )


def _tickets(rng: random.Random) -> Scene:
    event, count = (
        rng.choice(("concert", "play", "opera", "final", "lecture")),
        rng.choice((40, 60, 90, 120, 300, 450)),
    )
    minutes = rng.choice((10, 20, 30, 45))
    return Scene(
        f"All {count} tickets for the {event} were sold within {minutes} minutes.",
        (
            f"Every ticket for the {event} was sold.",
            f"The tickets for the {event} were sold in less than two hours.",
        ),
        (
            f"Some tickets for the {event} were not sold.",
            f"Only {count // 2} tickets for the {event} were sold.",
        ),
        (
            f"The tickets for the {event} were expensive.",
            f"Most tickets for the {event} went to students.",
        ),
    )


def _sale(rng: random.Random) -> Scene:
    one, other = rng.sample(NAMES, 2)
    thing, broadly = rng.choice((
        ("motorcycle", "vehicle"), ("guitar", "instrument"), ("sofa", "piece of furniture"), ("violin", "instrument"),
        ("wardrobe", "piece of furniture"), ("van", "vehicle"),
    ))  # fmt: skip
    price, wrong = rng.sample((90, 150, 240, 400, 650, 900), 2)
    return Scene(
        f"{one} sold an old {thing} to {other} for {price} euros.",
        (
            f"{one} sold a {broadly}.",
            f"{other} bought a {thing} from {one}.",
            f"The {thing} was old.",
        ),
        (
            f"{one} sold the {thing} for {wrong} euros.",
            f"{one} kept the old {thing}.",
            f"The {thing} was brand new.",
        ),
        (f"{one} needed the money for a holiday.", f"{other} will give the {thing} to a cousin."),
    )


def _rain(rng: random.Random) -> Scene:
    town, (day, later, wrong) = rng.choice(TOWNS), rng.sample(DAYS, 3)
    event = rng.choice(("match", "parade", "picnic", "race", "flea market"))
    return Scene(
        f"It rained heavily in {town} on {day}, so the {event} was postponed to {later}.",
        (f"It rained in {town} on {day}.", f"The {event} was postponed because of the rain."),
        (f"It stayed dry in {town} on {day}.", f"The {event} was postponed to {wrong}."),
        (
            f"The {event} ended in front of a large crowd.",
            f"The mayor of {town} opened the {event}.",
        ),
    )


def _building(rng: random.Random) -> Scene:
    what, town = (
        rng.choice(("bridge", "lighthouse", "tower", "chapel", "castle")),
        rng.choice(TOWNS),
    )
    built = rng.randint(1740, 1890)
    repaired, wrong = built + rng.randint(30, 90), built - rng.randint(20, 120)
    return Scene(
        f"The stone {what} in {town} was built in {built} and repaired in {repaired}.",
        (f"The {what} in {town} is made of stone.", f"The {what} in {town} was repaired in {repaired}."),
        (f"The {what} in {town} was built in {wrong}.", f"The {what} in {town} has never been repaired.",
         f"The {what} in {town} is made of wood."),
        (f"The {what} in {town} is a popular spot for weddings.", f"The {what} in {town} was designed by two sisters."),
    )  # fmt: skip


def _commute(rng: random.Random) -> Scene:
    name, (town, wrong) = rng.choice(NAMES), rng.sample(TOWNS, 2)
    job = rng.choice(("nurse", "pilot", "carpenter", "chemist", "teacher", "plumber"))
    move, other = rng.sample(("cycles", "walks", "drives"), 2)
    return Scene(
        f"{name} works as a {job} in {town} and {move} to work every morning.",
        (f"{name} has a job in {town}.", f"{name} {move} to work.", f"{name} is a {job}."),
        (
            f"{name} {other} to work every morning.",
            f"{name} works as a {job} in {wrong}.",
            f"{name} is unemployed.",
        ),
        (
            f"{name} shares a flat with two students.",
            f"{name} would like to move to a bigger town.",
        ),
    )


def _heights(rng: random.Random) -> Scene:
    one, two, three = rng.sample(NAMES, 3)
    more, less, apart = rng.choice((("taller", "shorter", "older"), ("older", "younger", "taller"),
                                    ("faster", "slower", "stronger")))  # fmt: skip
    return Scene(
        f"{one} is {more} than {two}, and {two} is {more} than {three}.",
        (
            f"{two} is {less} than {one}.",
            f"{one} is {more} than {three}.",
            f"{three} is {less} than {two}.",
        ),
        (
            f"{two} is {more} than {one}.",
            f"{three} is {more} than {one}.",
            f"{one} is {less} than {two}.",
        ),
        (f"{one} is {apart} than {two}.", f"{three} is {apart} than {one}."),
    )


def _cake(rng: random.Random) -> Scene:
    one, other = rng.sample(NAMES, 2)
    flavour, wrong = rng.sample(("lemon", "chocolate", "carrot", "almond", "cherry"), 2)
    feast = rng.choice(("birthday", "wedding", "farewell party", "graduation"))
    return Scene(
        f"{one} baked a {flavour} cake for {other}'s {feast}, and every guest ate a slice.",
        (
            f"{one} baked a cake.",
            f"The guests at the {feast} ate cake.",
            f"{one} baked something for {other}.",
        ),
        (
            f"Nobody ate the cake that {one} baked.",
            f"{one} baked a {wrong} cake for {other}'s {feast}.",
        ),
        ("The cake took three hours to bake.", f"{one} learned to bake from a neighbour."),
    )


def _pet(rng: random.Random) -> Scene:
    pet, broadly = rng.choice(
        (("puppy", "dog"), ("kitten", "cat"), ("parrot", "bird"), ("pony", "horse"))
    )
    place = rng.choice(("under the table", "behind the shed", "beside the stove", "in the shade"))
    time, owner = rng.choice(("morning", "afternoon", "evening")), rng.choice(NAMES)
    return Scene(
        f"{owner}'s {pet} slept {place} for the whole {time}.",
        (
            f"A {broadly} slept {place}.",
            f"The {pet} was asleep in the {time}.",
            f"{owner} has a {pet}.",
        ),
        (
            f"The {pet} was awake for the whole {time}.",
            f"{owner}'s {pet} did not sleep in the {time}.",
        ),
        (f"The {pet} is the youngest of four.", f"{owner} found the {pet} at a shelter."),
    )


def _train(rng: random.Random) -> Scene:
    what, (start, end) = rng.choice(("train", "bus", "ferry", "coach")), rng.sample(TOWNS, 2)
    minutes, cause = (
        rng.choice((15, 25, 40, 55)),
        rng.choice(("snow", "fog", "strong wind", "an engine fault")),
    )
    return Scene(
        f"The {what} from {start} to {end} was {minutes} minutes late because of {cause}.",
        (
            f"The {what} to {end} was late.",
            f"The {what} from {start} was more than ten minutes late.",
        ),
        (
            f"The {what} from {start} to {end} was on time.",
            f"The {what} to {end} was {minutes - 10} minutes early.",
        ),
        (
            f"Many passengers on the {what} to {end} were tourists.",
            f"The driver of the {what} apologised twice.",
        ),
    )


def _garden(rng: random.Random) -> Scene:
    (few, many), place = (
        rng.sample(NUMBERS[1:], 2),
        rng.choice(("school", "hotel", "clinic", "monastery")),
    )
    tree, flower = (
        rng.choice(("apple", "pear", "plum", "cherry")),
        rng.choice(("roses", "tulips", "lilies", "daisies")),
    )
    return Scene(
        f"There are {few} {tree} trees and {many} pots of {flower} in the garden behind the {place}.",
        (f"There are {flower} behind the {place}.", f"There are at least two {tree} trees in the garden.",
         "There are trees and flowers in the garden."),
        (f"There are no {tree} trees in the garden.", f"The garden is in front of the {place}.",
         f"The garden behind the {place} has only one {tree} tree."),
        (f"The {tree} trees were planted by volunteers.", f"Visitors to the {place} enjoy the smell of the {flower}."),
    )  # fmt: skip


def _exam(rng: random.Random) -> Scene:
    subject = rng.choice(("chemistry", "history", "driving", "geography", "Spanish", "first-aid"))
    failed, total = rng.choice(("two", "three", "four", "five")), rng.choice((18, 24, 30, 36, 40))
    return Scene(
        f"Only {failed} of the {total} students failed the {subject} test.",
        (
            f"Fewer than ten students failed the {subject} test.",
            f"Some students failed the {subject} test.",
        ),
        (
            f"All of the students passed the {subject} test.",
            f"More than twelve students failed the {subject} test.",
        ),
        (
            f"The {subject} test lasted ninety minutes.",
            f"The {subject} test was harder than the one before it.",
        ),
    )


def _cinema(rng: random.Random) -> Scene:
    (one, other), (day, wrong) = rng.sample(NAMES, 2), rng.sample(DAYS, 2)
    topic = rng.choice(("whales", "volcanoes", "glaciers", "violin makers", "steam engines"))
    return Scene(
        f"On {day} {one} and {other} watched a long documentary about {topic} at the cinema.",
        (f"{one} watched a film about {topic}.", f"{other} was at the cinema on {day}."),
        (f"{one} and {other} watched the documentary about {topic} on {wrong}.",
         f"The documentary about {topic} was very short.", f"{one} watched the documentary alone."),
        (f"{other} fell in love with {topic}.", f"{one} paid for both tickets."),
    )  # fmt: skip


def _frame(scene: Callable[[random.Random], Scene], label: str) -> Frame:
    def write(rng: random.Random) -> Draft:
        drawn = scene(rng)
        hypotheses: tuple[str, ...] = getattr(drawn, label)
        return Draft(f"{drawn.premise}\n{rng.choice(hypotheses)}", label)

    return write


SCENES = (
    *(
        _street,
        _opening_hours,
        _tickets,
        _sale,
        _rain,
        _building,
        _commute,
        _heights,
        _cake,
        _pet,
        _train,
    ),
    *(_garden, _exam, _cinema),
)
FRAMES: list[Frame] = [
    _frame(scene, label) for scene in SCENES for label in ("entailment", "contradiction", "neutral")
]


def lay_out(draft: Draft, rng: random.Random) -> str:
    """The two sentences under one of the usual pairs of headings."""
    premise, hypothesis = draft.user.split("\n")
    first, second = rng.choice(HEADINGS)
    return f"{first}: {premise}\n{second}: {hypothesis}"
