"""A text is read as one number, rightly, or not at all."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tasks.numbers.numbers import (
    canonical,
    read_number,
    same_number,
    without_float_error,
)

SIGNS = {
    "-8": "-8",
    "+8": "8",
    "−8": "-8",
    "–8": "-8",
    "‑8.50": "-8.5",
    "－８": "-8",
    "minus 8": "-8",
    "Minus eight": "-8",
    "negative $8": "-8",
    "-$8.25": "-8.25",
    "$-8.25": "-8.25",
    "−€8": "-8",
    "负8": "-8",
    r"\text{negative }8": "-8",
    r"-\frac{3}{8}": "-0.375",
    r"\frac{-3}{8}": "-0.375",
    "-2\\frac{1}{4}": "-2.25",
    "-0": "0",
    "(-8)": "-8",
    "($1,250)": "-1250",
    "(€ 1.250,75)": "-1250.75",
    "(1,250 USD)": "-1250",
    "$(1,250)": "-1250",
}
MONEY = {
    "$1,250.40": "1250.4",
    r"\$1,250.40": "1250.4",
    r"$\$1,250.40$": "1250.4",
    "US$9": "9",
    "A$9": "9",
    "R$ 9,50": "9.5",
    "€9": "9",
    "9 €": "9",
    "9€": "9",
    "9,50 €": "9.5",
    "EUR 9.50": "9.5",
    "9 USD": "9",
    "$9 USD": "9",
    "9$": "9",
    "¥900": "900",
    "₹1,50,000": "150000",
    "Rs. 450": "450",
    "9 dollars": "9",
    "35¢": "35",
    "35 cents": "35",
    "$.05": "0.05",
    "$18 per hour": "18",
    "$18/hour": "18",
    "$18 each": "18",
    "72元": "72",
}
MAGNITUDES = {
    "6k": "6000",
    "$6K": "6000",
    "$1.2M": "1200000",
    "$6m": "6000000",
    "£6bn": "6000000000",
    "6 bn": "6000000000",
    "$6B": "6000000000",
    "1.2B USD": "1200000000",
    "1.2 million": "1200000",
    "1.2 million dollars": "1200000",
    "$6-million": "6000000",
    "6million": "6000000",
    "6 thousand": "6000",
    "3 hundred thousand people": "300000",
    "6 lakh": "600000",
    "₹ 2.5 crore": "25000000",
    "3 dozen": "36",
    "3 dozen eggs": "36",
    "a dozen": "12",
    "6 hundredths": "0.06",
    "6 thousandths": "0.006",
    "1/2 million": "500000",
    "3 Millionen Euro": "3000000",
    "2,5 Mio. €": "2500000",
    "3万元": "30000",
    "half a million": "500000",
    r"\$6 \text{ million}": "6000000",
    "1.2B dollars": "1200000000",
}
GROUPINGS = {
    "1,250": "1250",
    "1,250,000.5": "1250000.5",
    "1.250,5": "1250.5",
    "1.250.000": "1250000",
    "1.250.000,75": "1250000.75",
    "1 250,5": "1250.5",
    "1\u00a0250\u00a0000": "1250000",
    "1\u2009250": "1250",
    "1'250'000": "1250000",
    "1’250.5": "1250.5",
    "1_250_000": "1250000",
    "4,5": "4.5",
    "4,25": "4.25",
    "0,125": "0.125",
    "1.250": "1.25",
    "12,34,567": "1234567",
    r"1{,}250": "1250",
    r"1\,250": "1250",
    r"1,\!250": "1250",
    "00.50": "0.5",
    "0042": "42",
}
FRACTIONS = {
    "3/8": "0.375",
    "6 / 16": "0.375",
    "2/6": "1/3",
    "2 3/8": "2.375",
    "2 and 3/8": "2.375",
    "2⅜": "2.375",
    "2 ⅜": "2.375",
    "⅚": "5/6",
    "³⁄₈": "0.375",
    "-2 3/8": "-2.375",
    r"\frac38": "0.375",
    r"\frac{3}8": "0.375",
    r"\frac 38": "0.375",
    r"\dfrac{3}{8}": "0.375",
    r"\tfrac{3}{8}": "0.375",
    r"2\frac38": "2.375",
    r"2 \dfrac{3}{8}": "2.375",
    r"$\frac{1,500}{7}$": "1500/7",
    r"\(\frac{3}{8}\)": "0.375",
    r"\[ \frac{3}{8} \]": "0.375",
    r"$$\frac{3}{8}$$": "0.375",
    r"0.\overline{27}": "3/11",
    r"0.1\overline{6}": "1/6",
    r"0.\bar{3}": "1/3",
    "0.(3)": "1/3",
    "0.333...": "1/3",
    "0.1666…": "1/6",
    "one half": "0.5",
    "two-thirds": "2/3",
    "five eighths": "0.625",
    "two and a half": "2.5",
    "2 and a half hours": "2.5",
    "3/8 (0.375)": "0.375",
    "3/8 of the cake": "0.375",
}
POWERS = {
    "10^5": "100000",
    "2^{12}": "4096",
    "2**12": "4096",
    "9²": "81",
    "10⁵": "100000",
    "10^{-2}": "0.01",
    "9 squared": "81",
    "3 cubed": "27",
    "√81": "9",
    "√(81)": "9",
    "sqrt(81)": "9",
    r"\sqrt{81}": "9",
    r"\sqrt[3]{64}": "4",
    r"\sqrt{\frac{9}{4}}": "1.5",
    r"3\cdot 10^{4}": "30000",
    r"3 \times 10^{-4}": "0.0003",
    "3 × 10⁴": "30000",
    "3x10^4": "30000",
    "3*10**4": "30000",
    "3e4": "30000",
    "3.5E-2": "0.035",
    r"\left(-6\right)": "-6",
}
WORDS = {
    "zero": "0",
    "Nine": "9",
    "thirty-five": "35",
    "thirty five apples": "35",
    "one hundred and five": "105",
    "two thousand three hundred forty-one": "2341",
    "three million": "3000000",
    "fifteen hundred": "1500",
    "a hundred": "100",
    "two dozen": "24",
    "thirty-five percent": "35",
    "five hundred dollars": "500",
    "35 (thirty-five)": "35",
    "thirty-five (35)": "35",
}
SCRIPTS = {"٣٥": "35", "३५": "35", "３５": "35", "٣٫٥": "3.5", "۱۲۳": "123"}
UNITS = {
    "35%": "35",
    r"35\%": "35",
    "35 %": "35",
    "35 percent": "35",
    "0.5 percentage points": "0.5",
    "35°": "35",
    r"35^\circ": "35",
    r"35^{\circ}": "35",
    "-4 °C": "-4",
    "35 degrees": "35",
    "9 cm²": "9",
    "9 cm^2": "9",
    "9cm2": "9",
    r"9\text{ cm}^2": "9",
    r"9\ \mathrm{m/s}": "9",
    r"9 \text{ cm}^{2}": "9",
    "9 m^3": "9",
    "9m": "9",
    "80 km/h": "80",
    "80 miles per hour": "80",
    "9 sq. ft.": "9",
    "9 apples": "9",
    "9 apples!": "9",
    "9 pieces of candy": "9",
    "9 clips in total": "9",
    "9 (apples)": "9",
    "9个": "9",
    "9-inch": "9",
    "9 Äpfel": "9",
}
DRESS = {
    "about 9": "9",
    "only 9": "9",
    "approximately 9.25": "9.25",
    "≈ 9.25": "9.25",
    "~9": "9",
    r"\approx 9.25": "9.25",
    "exactly 9": "9",
    "9.25 (approx.)": "9.25",
    "9.25 (rounded to two decimal places)": "9.25",
    "9 (not 8)": "9",
    "9 (cannot be negative)": "9",
    "9[2]": "9",
    "9*": "9",
    "9.": "9",
    "9。": "9",
    "→ 9": "9",
    "• 9": "9",
    "= 9": "9",
    "9 ✅": "9",
    "🎉 ": None,
    "\u200f9\u200f": "9",
}
EQUATIONS = {
    "x = 9": "9",
    "x=-9": "-9",
    "$x = 9$": "9",
    "x_1 = 9": "9",
    "f(3) = 9": "9",
    r"\theta = 9": "9",
    "Total cost = $9": "9",
    "4 + 5 = 9": "9",
    "4 + 5 = 9 apples": "9",
    "2 × (3 + 1.5) = 9": "9",
    "$3 × 3 = $9": "9",
    "27 ÷ 3 = 9": "9",
    "18/2 = 9": "9",
    "x = 18/2 = 9": "9",
    "10/3 = 3.33": "3.33",
    "22/7 ≈ 3.14": "3.14",
    r"\frac{18}{2} = 9": "9",
    r"3 \cdot 3 = 9": "9",
}
READ = {
    **SIGNS,
    **MONEY,
    **MAGNITUDES,
    **GROUPINGS,
    **FRACTIONS,
    **POWERS,
    **WORDS,
    **SCRIPTS,
    **UNITS,
    **DRESS,
    **EQUATIONS,
}


def listed(lines: str) -> list[str]:
    return [text for line in lines.strip().splitlines() for text in line.split("|")]


TWO_VALUES = listed("""
1/2 1/2|4^1 1/2|√4 1/2|4:5|4:50|4:50 PM|6 feet 2 inches|6'2"|6 dollars and 20 cents
$6 and 20 cents|6 apples and 4 pears|x = 6, y = 4|x = 6 and y = 4|6, 4|6; 4|6 or 4|6 4|(6, 4)
(6,4)|[6, 4]|{6, 4}|6 to 4|6-4|6–4|6...4|between 4 and 6|from 4 to 6|6 out of 10|6 of the 10
6/4/2|6 R4|6 r 4|6 remainder 4|6 R 4|six or seven|1.2.3|12,34.5|1,2,3|1,23,4|1.234,5.6|1,2345
1 23 456|1234 567|5 123/125|6 3/2|2024-05-07|2024/05/07|05/07/2024|555-0199|7, 8 and 9
twenty and five|six seven|3/4 (0.7)|seven (8)|6 ± 2|6±2|6 (or 4)
one hundred dollars and ten cents|6 ft 2 in|3 h 20 min|3h20|5°30'
""")
CHANGED_VALUES = listed("""
log2(9)|log_2(9)|\\log 9|\\log_{2}9|5!!|6 hundredfold|6 halved|6 twice|6 millier|6 gazillion
6 of|6 in the|6 per|6i|6x|6π|6\\pi|6√2|6\\sqrt{2}|\\sqrt{2}|√7|3ab|6n|2x + 3|\\log 7|\\ln 7
log2(9)|6M|6B|6 K|₹6L|6th|the 6th|6 tens|6 gross|6 below zero|6 under par|$6 loss|$6 less
6 less|6 more|6+|6 or more|6 or so|6 negative|(6)|(1,200)|6 pm|6 a.m.|6 o'clock|6 AD|6 mod 4|-(
--6|+-6|-$-6|±6|6 quarters|6 mil|6 ribu|6 (million)|6 (in thousands)|6 (negative)|3~500|1.234 €
€1.234|€ -1.234|€ (1.234)|6 hundred-dollar|6 y medio|6 et demi|twenty-fifth|fifth|a couple
5 sixth|5!|5 !
6 factorial|6º|1/0|\\frac{1}{0}|0/0|6 per thousand|6‰|6 dr|6e|110_2|110₂|243_{5}|6e5x|0x1F
6_|6^|6^x|8_7|19_8|6/
6/x|$|$$|%|€|½3|\u2462|Ⅶ|6\u20e3|- 6|– 6|6m people
""")
NOT_VALUES = listed("""
N/A|none|nothing|no|infinity|∞|NaN|nan|inf|-inf|-Infinity|at least 6|at most 6|more than 6
up to 6|over 6|< 6|> 6|≥ 6|x > 6|x >= 6|x ≠ 6|x != 6|6?|maybe 6|not 6|6, maybe|almost 6
nearly 6|No. 6|#6|Option 6|Step 6|Question 6|covid-19|H2O|page 6|6 apples, I think|6. Wait
6 is wrong|I cannot help. 6|4 + 5|4 * 5|4 × 5|4 - 5|x|x = y|2x = 6|x + 1 = 6|x^2 = 36
4 + 5 = 10|6 = x|x = |a = b = |not x = 6|10/3 = 3.3|6 apples that she bought with the money|A6
_6|6\x00|6\ud800|\ud8006|6"|"6|6)|(6|{6|6}|^6|/6
""")


@pytest.mark.parametrize(("text", "number"), READ.items())
def test_a_number_is_read_in_every_form_that_people_write(text: str, number: str | None) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize("text", TWO_VALUES)
def test_two_values_are_none(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize("text", CHANGED_VALUES)
def test_what_changes_a_value_is_never_taken_for_its_unit(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\u200b", "|-6|", "6\n4", "6\nUser: 4", *NOT_VALUES]
)
def test_a_text_that_is_no_value_is_not_read(text: str) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "9^9^9^9",
        "2^99999999",
        "1e999999",
        "-1e-999999",
        "10^{10^{10}}",
        "170!",
        "9" * 100_000,
        "{" * 100_000,
        "(" * 100 + "7" + ")" * 100,
        "{" * 90 + "7" + "}" * 90,
        r"\frac{" * 30 + "1",
        r"\sqrt{" * 25 + "1" + "}" * 25,
        "1 " * 100_000,
        "1," * 90,
        "-" * 190 + "7",
        "a" * 190,
        "7 " + "a-" * 90,
        "7" + "(" * 190,
        "7 " + "()" * 90,
        "=" * 190,
        "one " * 45,
        "\\text{" * 30 + "}" * 30,
        "$" * 190,
        "\ud800" * 150,
        "٣" * 180,
    ],
)
def test_a_hostile_text_is_refused(text: str) -> None:
    assert read_number(text) is None


DRESSES = [
    "§.",
    "§%",
    "§ %",
    "$§",
    "€ §",
    "§ USD",
    "§ apples",
    "§ km/h",
    "§ cm²",
    "about §",
    "≈ §",
    "x = §",
    r"\(§\)",
    "$§$",
    "$$ § $$",
    r"\text{§}",
    r"§\text{ cm}",
    r"\mathbf{§}",
    "§[1]",
    "§ 🎉",
    "→ §",
    "§ (apples)",
    "\u200b§",
]
numbers = st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=1000)
dresses = st.sampled_from(DRESSES)


@given(number=numbers, dress=dresses)
def test_no_dress_changes_the_value(number: Fraction, dress: str) -> None:
    text = canonical(number)
    is_grouped_or_not = "€" in dress and re.fullmatch(r"-?[1-9]\d{0,2}\.\d{3}", text)
    assert read_number(dress.replace("§", text)) == (None if is_grouped_or_not else text)


@given(number=numbers)
def test_every_spelling_of_a_fraction_reads_the_same(number: Fraction) -> None:
    sign = "-" if number < 0 else ""
    top = abs(number.numerator)
    bottom = number.denominator
    whole, rest = divmod(top, bottom)
    texts = [
        f"{sign}{top}/{bottom}",
        f"{sign}{top * 6} / {bottom * 6}",
        f"{sign}\\frac{{{top}}}{{{bottom}}}",
        f"\\dfrac{{{sign}{top}}}{{{bottom}}}",
    ]
    if whole and rest:
        texts.append(f"{sign}{whole} and {rest}/{bottom}")
        texts.append(f"{sign}{whole}\\tfrac{{{rest}}}{{{bottom}}}")
    if bottom == 1:
        texts += [f"{sign}{top:,}", f"{sign}{top:,}.00", f"{sign}0{top}"]
        texts += [f"{sign}{top:_}", f"{sign}{top:,}".replace(",", " "), f"{sign}{top}e0"]
    assert {read_number(text) for text in texts} == {canonical(number)}, texts


GRAMMAR = set("0123456789 .,'_/+-*^=!()[]{}|$€£%°<>\\~#&@;:?\"`abcdefghijklmnopqrstuvwxyz√π²½七")


@given(st.text(st.sampled_from(sorted(GRAMMAR)), max_size=30) | st.text(max_size=30))
def test_nothing_raises_and_what_is_read_is_canonical(text: str) -> None:
    number = read_number(text)
    assert number is None or read_number(number) == number == canonical(Fraction(number))


@given(number=st.integers(2, 999), other=st.integers(2, 999), mark=st.sampled_from(";:&?@#~<>"))
def test_digits_beside_a_mark_outside_the_grammar_are_not_read(
    number: int, other: int, mark: str
) -> None:
    assert read_number(f"{number}{mark}{other}") is None
    assert read_number(f"{number} {mark} {other}") is None


@pytest.mark.parametrize(
    ("first", "second", "tolerance", "same"),
    [
        ("7", "7", None, True),
        ("7", "8", None, False),
        ("0.333", "1/3", None, True),
        ("1/3", "0.333", None, True),
        ("0.33", "1/3", None, False),
        ("0.334", "1/3", None, False),
        ("3.14", "22/7", None, True),
        ("-0.667", "-2/3", None, True),
        ("0.667", "-2/3", None, False),
        ("2.67", "2.675", None, True),
        ("0.00333", "1/300", None, True),
        ("123", "122.6", None, False),
        ("123.5", "123.46", None, True),
        ("99", "100", Fraction(1, 100), True),
        ("98", "100", Fraction(1, 100), False),
        ("0", "0.1", Fraction(1, 100), False),
    ],
)
def test_numbers_are_the_same_if_equal_or_rounded(
    first: str, second: str, tolerance: Fraction | None, same: bool
) -> None:
    assert same_number(first, second, tolerance) is same
    assert same_number(second, first, tolerance) is same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.30000000000000004", "0.3"),
        ("-3.3000000000000003", "-3.3"),
        ("2.9999999999999996", "3"),
        ("0.3333333333333333", "0.333333333333333"),
        ("0.25", "0.25"),
        ("1/3", "1/3"),
        ("12345678901234567890", "12345678901234567890"),
        ("1234567890123456.5", "1234567890123456.5"),
    ],
)
def test_errors_of_floating_point_arithmetic_are_rounded_off_references(
    text: str, expected: str
) -> None:
    assert without_float_error(text) == expected
