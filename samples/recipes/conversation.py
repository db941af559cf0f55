"""Conversations of two to four user turns on everyday topics; later turns refer back, so that a lost history shows."""

from __future__ import annotations

import random

from samples.recipes.drafts import Draft, Frame
from samples.recipes.words import NAMES

SYSTEMS = (
    "You are a friendly assistant. Answer in two or three sentences and keep in mind what was said before.",
    "You are a patient adviser for everyday questions. Be concrete, be brief, and never ask for personal data.",
    "The following is a conversation between a user and an assistant. Continue it helpfully and politely.",
)

# opening lines by topic; {0} is a detail that later turns come back to
OPENINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "growing": ("I would like to grow {0} on my balcony. Where do I begin?",
                ("tomatoes", "strawberries", "basil", "peppers", "radishes", "lavender")),
    "cooking": ("I want to cook {0} for the first time. What should I know?",
                ("a mushroom risotto", "a lentil curry", "an onion soup", "a fish pie", "a vegetable stew")),
    "travel": ("We are planning {0} next summer. How should we prepare?",
               ("a cycling tour along a river", "a week in the mountains", "a train journey to the coast",
                "a canoe trip with two children", "a weekend in an old town")),
    "studying": ("I have six weeks to prepare for {0}. How should I plan them?",
                 ("a chemistry exam", "my driving test", "a language certificate", "a history exam")),
    "repairs": ("At home I have to deal with {0}. Can I do that myself?",
                ("a dripping tap", "a squeaking door", "a loose shelf", "a scratched table top", "a flat bicycle tyre")),
    "music": ("I am thirty-five and would like to learn {0}. Is it too late?",
              ("the piano", "the cello", "the ukulele", "the accordion", "singing in a choir")),
    "saving": ("I try to save money for {0}, but it never works. Any advice?",
               ("a used car", "a long holiday", "a new laptop", "my first flat", "a sewing machine")),
    "running": ("I have never done any sport and want to train for {0}. What is a sensible way?",
                ("a five-kilometre run", "a charity walk", "a small triathlon", "a hill race")),
}  # fmt: skip

SECOND: dict[str, tuple[str, ...]] = {
    "growing": ("How much light and water do they need?", "Which pots and soil would you choose for that?",
                "The balcony faces north. Does that change your advice?"),
    "cooking": ("How long before the meal should I begin?", "Which of these steps can go wrong most easily?",
                "One guest eats no dairy. What could I use instead?"),
    "travel": ("What should we book first?", "What would you pack for it if it rains?",
               "How can we keep the cost of it low?"),
    "studying": ("And how many hours a day is realistic with a job?", "What do I do when I fall behind that plan?",
                 "Is it better to learn alone or in a group for this?"),
    "repairs": ("Which tools would I need for that?", "How do I know that it is time to call someone?",
                "Roughly how long would it take a beginner?"),
    "music": ("How often would I have to practise it?", "Should I take lessons or use videos?",
              "What would be a good first piece?"),
    "saving": ("How much of my income should go into it every month?", "Where should I keep that money meanwhile?",
               "What if an unexpected bill comes?"),
    "running": ("How many days of rest does that leave me?", "What should I eat before such training?",
                "My knees hurt a little afterwards. What now?"),
}  # fmt: skip

THIRD = (
    "Could you sum up what you have told me so far in one sentence?",
    "Which part of your first answer matters most?",
    "My friend {0} says the opposite of your last answer. Who is right?",
    "Thanks. And what would you do differently if I had only half the time?",
    "Let us go back to my first question. What is the very first step?",
)
FOURTH = (
    "Good. What is the most common mistake in all this?",
    "Please remind me what my question at the beginning was.",
    "I will try it on {1}. How will I notice that it goes well?",
    "And what should {0} and I do after that?",
)
DAYS = ("Saturday", "Sunday", "Monday", "my day off", "the first of the month")


def _topic(topic: str) -> Frame:
    def write(rng: random.Random) -> Draft:
        opening, details = OPENINGS[topic]
        name, day, turns = rng.choice(NAMES), rng.choice(DAYS), rng.choice((2, 2, 3, 3, 4))
        later = (rng.choice(SECOND[topic]), rng.choice(THIRD), rng.choice(FOURTH))
        first = rng.choice(("", "Hello! ", "Hi there. ", f"My neighbour {name} sent me to you. ",
                            f"Perhaps you can settle an argument between {name} and me. ",
                            f"{name} says that you know about this. "))  # fmt: skip
        asked = first + opening.format(rng.choice(details))
        return Draft(asked, later=tuple(turn.format(name, day) for turn in later[: turns - 1]))

    return write


FRAMES: list[Frame] = [_topic(topic) for topic in OPENINGS]

# what the user's data holds as assistant turns: short, because the teacher writes them anew
REPLIES = (
    "Start small, and write down what you find out.",
    "That depends on a few things; the simplest way is usually the best.",
    "Take one step at a time, and leave room for surprises.",
    "A little every week does more than a lot at once.",
)
