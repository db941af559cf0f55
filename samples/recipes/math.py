"""Word problems of sixteen kinds, each with one integer as its answer."""

from __future__ import annotations

import math
import random

from samples.recipes.drafts import Draft, Frame
from samples.recipes.words import NAMES, SHOP, THINGS

SYSTEMS = (
    "You solve word problems. Reply with the final number only: no units, no words, no calculation.",
    "You are a careful maths tutor who checks homework. Answer with a single integer and nothing else.",
    "Solve the arithmetic question. The answer must be one integer, with a minus sign if it is negative.",
)
INSTRUCTION = "Solve this and reply with one integer only.\n\n"


def _gains_and_losses(rng: random.Random) -> Draft:
    (one, other), thing = rng.sample(NAMES, 2), rng.choice(THINGS)
    start, gained, given = rng.randint(20, 90), rng.randint(5, 40), rng.randint(3, 19)
    text = rng.choice((
        f"{one} had {start} {thing}. At the market {one} bought {gained} more and then gave {given} to {other}. "
        f"How many {thing} does {one} have now?",
        f"There were {start} {thing} in a drawer. {one} put in {gained} more, and {other} took out {given}. "
        f"How many {thing} are in the drawer now?",
        f"{one} collected {start} {thing} in spring, found {gained} in summer and lost {given} in autumn. "
        f"How many {thing} were left?",
    ))  # fmt: skip
    return Draft(text, str(start + gained - given))


def _equal_groups(rng: random.Random) -> Draft:
    groups, each = rng.randint(4, 19), rng.randint(6, 25)
    text = rng.choice((
        f"A library has {groups} shelves with {each} books on each shelf. How many books is that altogether?",
        f"A theatre has {groups} rows, and every row has {each} seats. How many seats does the theatre have?",
        f"A farmer plants {groups} rows of {each} cabbages. How many cabbages does she plant?",
    ))  # fmt: skip
    return Draft(text, str(groups * each))


def _groups_and_sales(rng: random.Random) -> Draft:
    trays, each = rng.randint(5, 14), rng.choice((6, 8, 10, 12, 15))
    sold = rng.randint(11, trays * each - 9)
    text = rng.choice((
        f"A baker fills {trays} trays with {each} rolls each. By noon {sold} rolls have been sold. "
        "How many rolls are left?",
        f"A school orders {trays} boxes of {each} pencils and hands out {sold} pencils in the first week. "
        "How many pencils remain?",
    ))  # fmt: skip
    return Draft(text, str(trays * each - sold))


def _equal_shares(rng: random.Random) -> Draft:
    name, people, each = rng.choice(NAMES), rng.randint(3, 12), rng.randint(4, 22)
    total = people * each
    first = rng.randint(3, total - 3)
    text = rng.choice((
        f"{name} shares {total} cherries equally among {people} friends. How many cherries does each friend get?",
        f"{total} children are split into {people} teams of the same size. How many children are in each team?",
        f"{name} baked {first} biscuits in the morning and {total - first} in the afternoon, and divided them equally "
        f"between {people} tins. How many biscuits went into each tin?",
    ))  # fmt: skip
    return Draft(text, str(each))


def _left_over(rng: random.Random) -> Draft:
    size, boxes = rng.randint(6, 16), rng.randint(4, 20)
    rest = rng.randint(1, size - 1)
    total = size * boxes + rest
    text = rng.choice((
        f"{total} eggs are packed into cartons of {size}. How many eggs are left over when no more cartons can be "
        "filled?",
        f"A florist has {total} tulips and ties them into bunches of {size}. How many tulips are left over?",
    ))  # fmt: skip
    return Draft(text, str(rest))


def _how_many_needed(rng: random.Random) -> Draft:
    people, seats = rng.randint(70, 380), rng.choice((8, 12, 18, 24, 45))
    text = rng.choice((
        f"{people} guests are coming to a wedding, and each table seats {seats}. How many tables are needed?",
        f"A club of {people} members goes on a trip in minibuses that hold {seats} people each. "
        "How many minibuses do they need?",
    ))  # fmt: skip
    return Draft(text, str(math.ceil(people / seats)))


def _shopping(rng: random.Random) -> Draft:
    name, ((one, ones), (two, twos)) = rng.choice(NAMES), rng.sample(SHOP, 2)
    price, other, count, more = (
        rng.randint(2, 14),
        rng.randint(2, 14),
        rng.randint(2, 7),
        rng.randint(2, 6),
    )
    total = price * count + other * more
    note = rng.choice([note for note in (50, 100, 200) if note > total])
    start = f"A {one} costs ${price} and a {two} costs ${other}. {name} buys {count} {ones} and {more} {twos}"
    if rng.random() < 0.5:
        return Draft(f"{start}. How many dollars does {name} spend?", str(total))
    return Draft(
        f"{start} and pays with ${note}. How much change does {name} get, in dollars?",
        str(note - total),
    )


def _wages(rng: random.Random) -> Draft:
    name, rate, hours, days = (
        rng.choice(NAMES),
        rng.randint(9, 24),
        rng.randint(3, 8),
        rng.randint(3, 6),
    )
    spent = rng.randint(10, 60)
    start = f"{name} earns ${rate} an hour and works {hours} hours a day for {days} days."
    if rng.random() < 0.5:
        return Draft(f"{start} How many dollars does {name} earn?", str(rate * hours * days))
    text = f"{start} {name} then spends ${spent} on a coat. How many dollars are left of the wages?"
    return Draft(text, str(rate * hours * days - spent))


def _percent(rng: random.Random) -> Draft:
    percent, amount = rng.choice((5, 10, 15, 20, 25, 30, 40, 60)), rng.randint(2, 24) * 20
    part = amount * percent // 100
    text, answer = rng.choice((
        (f"A bicycle costs ${amount}. In the sale its price is reduced by {percent}%. What is the new price in dollars?",
         amount - part),
        (f"The rent of a small shop was ${amount} a month and went up by {percent}%. What is the new rent in dollars?",
         amount + part),
        (f"{percent}% of the {amount} passengers on a ferry are children. How many passengers are children?", part),
        (f"{percent}% of the {amount} seats in a hall are taken. How many seats are free?", amount - part),
    ))  # fmt: skip
    return Draft(text, str(answer))


def _comparison(rng: random.Random) -> Draft:
    (one, two, three), thing = rng.sample(NAMES, 3), rng.choice(THINGS)
    first, more = rng.randint(8, 45), rng.randint(2, 7)
    second, word = rng.choice(((first + more, "more"), (first - more, "fewer")))
    chain = f"{one} has {first} {thing}. {two} has {more} {word} {thing} than {one}"
    times, factor = rng.choice((("twice", 2), ("three times", 3), ("four times", 4)))
    text, answer = rng.choice((
        (f"{chain}. How many {thing} does {two} have?", second),
        (f"{chain}. How many {thing} do they have altogether?", first + second),
        (f"{chain}, and {three} has {times} as many as {two}. How many {thing} does {three} have?", factor * second),
        (f"{chain}, and {three} has {times} as many as {one}. How many {thing} do the three have in total?",
         first + second + factor * first),
    ))  # fmt: skip
    return Draft(text, str(answer))


def _ages(rng: random.Random) -> Draft:
    (one, two), age, gap, years = (
        rng.sample(NAMES, 2),
        rng.randint(9, 40),
        rng.randint(2, 8),
        rng.randint(2, 12),
    )
    text, answer = rng.choice((
        (f"{one} is {age} years old. {two} is {gap} years older than {one}. How old will {two} be in {years} years?",
         age + gap + years),
        (f"{one} is {age} years old, and {two} is {gap} years younger. How old is {two}?", age - gap),
        (f"{one} is {age} years old and {two} is twice as old as {one}. How old was {two} {gap} years ago?",
         2 * age - gap),
    ))  # fmt: skip
    return Draft(text, str(answer))


def _temperature(rng: random.Random) -> Draft:
    noon, fall, rise = rng.randint(-4, 12), rng.randint(5, 16), rng.randint(2, 9)
    start = f"At noon the temperature in the valley was {noon} degrees. By midnight it had fallen by {fall} degrees"
    if rng.random() < 0.5:
        return Draft(f"{start}. What was the temperature at midnight?", str(noon - fall))
    text = f"{start}, and by the next morning it had risen by {rise} degrees. What was the temperature in the morning?"
    return Draft(text, str(noon - fall + rise))


def _distance(rng: random.Random) -> Draft:
    speed, hours = rng.choice((4, 15, 18, 60, 75, 80, 90, 110, 120)), rng.randint(2, 9)
    text, answer = rng.choice((
        (f"A train travels at {speed} kilometres per hour for {hours} hours. How many kilometres does it travel?",
         speed * hours),
        (f"A lorry has to cover {speed * hours} kilometres at a steady {speed} kilometres per hour. "
         "How many hours does the journey take?", hours),
    ))  # fmt: skip
    return Draft(text, str(answer))


def _rectangle(rng: random.Random) -> Draft:
    length, width = rng.randint(8, 40), rng.randint(3, 25)
    text, answer = rng.choice((
        (f"A rectangular garden is {length} metres long and {width} metres wide. "
         "How many metres of fence are needed to go all the way around it?", 2 * (length + width)),
        (f"A rectangular floor is {length} metres long and {width} metres wide. What is its area in square metres?",
         length * width),
    ))  # fmt: skip
    return Draft(text, str(answer))


def _average(rng: random.Random) -> Draft:
    name, mean = rng.choice(NAMES), rng.randint(12, 60)
    a, b = rng.randint(1, 9), rng.randint(1, 9)
    scores = [mean - a, mean + b, mean + a - b]
    text = rng.choice((
        f"{name} scored {scores[0]}, {scores[1]} and {scores[2]} points in three games. What was the average score?",
        f"A kiosk sold {scores[0]} ices on Friday, {scores[1]} on Saturday and {scores[2]} on Sunday. "
        "How many ices did it sell a day on average?",
    ))  # fmt: skip
    return Draft(text, str(mean))


def _fraction(rng: random.Random) -> Draft:
    word, parts = rng.choice((("Half", 2), ("A third", 3), ("A quarter", 4), ("A fifth", 5)))
    total = parts * rng.randint(6, 30)
    start = f"{word} of the {total} pupils in a school choir sing alto"
    if rng.random() < 0.5:
        return Draft(f"{start}. How many pupils sing alto?", str(total // parts))
    return Draft(f"{start}. How many pupils do not sing alto?", str(total - total // parts))


FRAMES: list[Frame] = [
    *(
        _gains_and_losses,
        _equal_groups,
        _groups_and_sales,
        _equal_shares,
        _left_over,
        _how_many_needed,
        _shopping,
    ),
    *(
        _wages,
        _percent,
        _comparison,
        _ages,
        _temperature,
        _distance,
        _rectangle,
        _average,
        _fraction,
    ),
]
