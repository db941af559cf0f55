"""What the teacher can say on everyday topics: the words that give a topic away, and sentences that fit it."""

from __future__ import annotations

ADVICE: dict[str, tuple[str, tuple[str, ...]]] = {
    "growing plants": (
        "grow balcony plant tomatoes strawberries basil peppers radishes lavender pots soil light water garden seed",
        (
            "Begin with two or three young plants in pots that are at least twenty centimetres deep.",
            "Most of them want five hours of light and water in the morning, whenever the top of the soil is dry.",
            "Take loose potting soil, and make sure that every pot has a hole for the water to leave.",
            "In shade choose herbs and leafy plants, because fruit needs sun to ripen.",
        ),
    ),
    "cooking": (
        "cook risotto curry soup pie stew meal recipe dairy steps bake dish kitchen food guest",
        (
            "Cut and measure everything before the stove goes on, so that nothing has to wait for you.",
            "Allow an hour and a half the first time, and taste at every step.",
            "Low heat forgives most mistakes; too much salt is the one that is hard to undo.",
            "Coconut or oat milk replaces dairy in most sauces without anybody noticing.",
        ),
    ),
    "travel": (
        "travel tour trip journey summer week mountains coast river canoe weekend book pack cost hotel visit flight",
        (
            "Fix the dates first and book the beds for the busiest nights; the rest can wait.",
            "Pack light: rain jackets, two pairs of shoes, copies of your papers, and a small first-aid kit.",
            "Travelling on weekdays and cooking for yourselves saves more than any discount.",
            "Leave one day in three without a plan, above all with children.",
        ),
    ),
    "studying": (
        "exam test certificate study learn prepare plan weeks hours chemistry history driving language group lesson",
        (
            "Divide the material into weekly parts and keep the last week free for repetition.",
            "One and a half hours on working days and three at the weekend are realistic for most people.",
            "Test yourself instead of reading again: what you recall with effort stays.",
            "When you fall behind, drop the least important part rather than sleep.",
        ),
    ),
    "repairs": (
        "tap door shelf scratched table tyre repair tools dripping squeaking loose fix broken beginner",
        (
            "Yes, that is work for a beginner, provided that you take photographs before you take anything apart.",
            "A screwdriver, an adjustable spanner, a rag and a little oil will be enough in most cases.",
            "Call somebody as soon as gas, mains electricity or hidden pipes are involved.",
            "Reckon with an hour the first time and with fifteen minutes the second.",
        ),
    ),
    "music": (
        "piano cello ukulele accordion choir singing instrument practise piece lessons music song",
        (
            "It is not too late at all: adults learn quickly because they know what they want to play.",
            "Twenty minutes on five days of the week do more than two hours on Sunday.",
            "Take lessons for the first three months, since habits of the hand are hard to change later.",
            "Choose a simple song that you love and play it slowly until it is even.",
        ),
    ),
    "saving money": (
        "save money income bill car laptop flat budget invest bank account price cost pay market shares trading",
        (
            "Have a fixed sum transferred to another account on the day the wages arrive.",
            "One tenth of the income is a good beginning; raise it whenever your pay rises.",
            "Keep three months of expenses within reach before you tie up any money.",
            "Write down what you spend for four weeks: the surprise is usually among the small things.",
        ),
    ),
    "training": (
        "run walk triathlon race train sport rest knees eat training exercise kilometre muscles weight health",
        (
            "Begin with three short sessions a week in which you can still talk while you move.",
            "Keep at least one day of rest between two sessions, and sleep well.",
            "Eat something light two hours before, and drink a glass of water after.",
            "When something hurts for more than two days, reduce the distance by half and see a doctor if it stays.",
        ),
    ),
}

GENERAL = (
    "It helps to begin with the part that you can decide today and to write the rest down.",
    "Ask two people who have done it before and compare what they say.",
    "Small steps that you repeat are safer than one large step.",
    "Give it a week, and then look again at what has changed.",
)
