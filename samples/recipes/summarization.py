"""Short news articles of 120 to 250 words, put together from the sentences in `stories`, with a reference summary."""

from __future__ import annotations

import random

from samples.recipes.drafts import Draft, Frame
from samples.recipes.stories import BACKGROUND, CLOSING, STORIES, Story
from samples.recipes.words import NAMES

SYSTEMS = (
    "You write concise, factual summaries of news articles. Write only the summary, at most {words} words.",
    "Summarize the article for a busy reader. Keep names and numbers. Do not exceed {words} words.",
    "You are an editor at a regional newspaper. Condense the article into one paragraph of no more than {words} words.",
)
INSTRUCTION = "Summarize the following article in at most 80 words.\n\n"
WORD_LIMITS = (60, 70, 80)
SURNAMES = (
    *(
        "Abadi",
        "Brandt",
        "Castellano",
        "Dunmore",
        "Eklund",
        "Farouk",
        "Grady",
        "Hollis",
        "Ivanova",
        "Jansson",
    ),
    *(
        "Kowalski",
        "Lindqvist",
        "Mbeki",
        "Novak",
        "Okafor",
        "Pereira",
        "Quist",
        "Rahimi",
        "Sorensen",
        "Tanaka",
    ),
)
TOWNS = (
    *(
        "Brevik",
        "Almora",
        "Sandhaven",
        "Luzhen",
        "Portell",
        "Mirova",
        "Castlebeck",
        "Norrvik",
        "Tilbrook",
    ),
    *("Esperance Bay", "Old Harrow", "Vallorbia"),
)
MONTHS = ("January", "March", "April", "May", "June", "September", "October", "November")
LEADS = ("Article: {}", "{}", "ARTICLE\n{}")


def details(rng: random.Random) -> dict[str, str]:
    """What the sentences of one story share: people, places, numbers and dates."""
    surnames, names, towns = rng.sample(SURNAMES, 3), rng.sample(NAMES, 3), rng.sample(TOWNS, 2)
    return {
        "town": towns[0],
        "other_town": towns[1],
        "lead": f"{names[0]} {surnames[0]}",
        "lead_last": surnames[0],
        "critic": f"{names[1]} {surnames[1]}",
        "helper": f"{names[2]} {surnames[2]}",
        "small": str(rng.randint(3, 19)),
        "medium": str(rng.randint(21, 98)),
        "age": str(rng.randint(19, 58)),
        "large": str(rng.randint(3, 48) * 100),
        "money": f"{rng.randint(2, 95) * 10},000 euros",
        "year": str(rng.randint(1861, 1989)),
        "month": rng.choice(MONTHS),
        "day": str(rng.randint(2, 28)),
        "percent": str(rng.randint(11, 68)),
    }


def _article(story: Story) -> Frame:
    def write(rng: random.Random) -> Draft:
        shared = details(rng)
        body = [rng.choice(versions) for versions in story.body]
        extra = rng.sample(BACKGROUND, rng.choice((1, 2)))
        text = " ".join((*body[:4], extra[0], *body[4:], *extra[1:], rng.choice(CLOSING)))
        return Draft(text.format(**shared), story.summary.format(**shared))

    return write


FRAMES: list[Frame] = [_article(story) for story in STORIES]


def lay_out(draft: Draft, rng: random.Random) -> str:
    """The article as people paste it: with a heading, or without."""
    return rng.choice(LEADS).format(draft.user)
