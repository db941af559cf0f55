"""Arithmetic on one line, worked out exactly: sums, fractions, powers, roots, bases.

A recursive descent over short texts in plain spelling (see `number_spelling`). Digits, exponents
and nesting are bounded, so `9^9^9^9` and a thousand braces are refused at once.
"""

from __future__ import annotations

import re
from fractions import Fraction

MAX_DIGITS = 40  # longer numbers answer no word problem
MAX_EXPONENT = 200
MAX_BITS = 1000  # of a power
MAX_NESTING = 40

RUN = re.compile(r"\d+(?:[.,]\d+|[ '_]\d{3}(?!\d))*|\.\d+")
GROUPINGS = [  # pattern of a whole run, and its decimal mark
    (re.compile(pattern), decimal_mark)
    for pattern, decimal_mark in (
        (r"\d*\.?\d+", "."),
        (r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", "."),
        (r"[1-9]\d?(?:,\d\d)+,\d{3}(?:\.\d+)?", "."),
        (r"[1-9]\d{0,2}([ '_])\d{3}(?:\1\d{3})*(?:\.\d+)?", "."),
        (r"[1-9]\d{0,2}([ '.])\d{3}(?:\1\d{3})*,\d+", ","),
        (r"[1-9]\d{0,2}(?:\.\d{3}){2,}", ","),
        (r"0,\d+|\d+,\d\d?", ","),
    )
]
IN_BASE = re.compile(r"(\d{1,40})_(?:\{(\d{1,2})\}|(\d{1,2}))(?!\d)")
REPEATING = re.compile(r"(\d{0,15})\.(\d{0,15})\((\d{1,15})\)((?:\(\d\))*)")
EXPONENT = re.compile(r"[eE]([-+]?\d{1,3})(?![\w.])")
MIXED = re.compile(r"(?: {1,2}| and )(\d{1,15}) ?/ ?(\d{1,15})(?! ?[\d/.,^])")
MIXED_TEX = re.compile(r" {0,2}(?=\\frac)")
PLUS_OR_MINUS = re.compile(r" *([-+]) *(?![^\W\d_])")
TIMES_OR_DIVIDED = re.compile(r" *([×/÷]) *(?=[\d(\\.+-])")
DIVIDED = re.compile(r" *[/÷] *[\d(\\]")
POWER_OF_TEN = re.compile(r"10 ?\^")
SIGN = re.compile(r"([-+]) *(?![-+])")
RAISED = re.compile(r" ?\^ ?")
OPERATOR_BEFORE = re.compile(r"(?:[/^×÷\]]|sqrt) *[-+]? *$")
FRACTION = re.compile(r"\\frac ?(?=\{)")
ROOT = re.compile(r"\\sqrt ?(?:\[([2-9])\])? ?")
OPENING = re.compile(r" ?([({])")
ENCLOSED = re.compile(r"[({]")
CLOSING = {"(": re.compile(r" *\)"), "{": re.compile(r" *\}")}


class NotANumber(Exception):
    """The text is not one number, or not for certain."""


class Expression:
    """Reads an expression from the beginning of a text, as far as it goes."""

    def __init__(self, text: str) -> None:
        if sum(map(text.count, "({^\\")) > MAX_NESTING:
            raise NotANumber
        self.text = text
        self.position = 0
        self.divisions = 0
        self.is_calculation = False  # sums and products: a number only before an equals sign

    def accept(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.position)
        if match:
            self.position = match.end()
        return match

    def expect(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = self.accept(pattern)
        if not match:
            raise NotANumber
        return match

    def sum(self) -> Fraction:
        value = self._product()
        while operator := self.accept(PLUS_OR_MINUS):
            self.is_calculation = True
            term = self._product()
            value += term if operator[1] == "+" else -term
        return value

    def _product(self) -> Fraction:
        value = self._factor()
        while operator := self.accept(TIMES_OR_DIVIDED):
            is_scientific = POWER_OF_TEN.match(self.text, self.position) is not None
            factor = self._factor()
            if operator[1] == "×":
                self.is_calculation |= not is_scientific
                value *= factor
            else:
                self.divisions += 1
                self.is_calculation |= self.divisions > 1 or operator[1] == "÷"
                value = quotient(value, factor)
        return value

    def _factor(self) -> Fraction:
        sign = self.accept(SIGN)
        value = self._atom()
        if self.accept(RAISED):
            is_enclosed = ENCLOSED.match(self.text, self.position)
            value = power(value, self._factor())
            self._end_unless(is_enclosed)
        return -value if sign and sign[1] == "-" else value

    def _atom(self) -> Fraction:
        if self.accept(FRACTION):
            top = self._group()
            return quotient(top, self._group())
        if sign := self.accept(ROOT):
            is_enclosed = ENCLOSED.match(self.text, self.position)
            value = root(self._atom(), int(sign[1] or 2))
            self._end_unless(is_enclosed)
            return value
        if ENCLOSED.match(self.text, self.position):
            return self._group()
        return self._numeral()

    def _group(self) -> Fraction:
        opening = self.expect(OPENING)
        value = self.sum()
        self.expect(CLOSING[opening[1]])
        return value

    def _end_unless(self, is_enclosed: re.Match[str] | None) -> None:
        """Refuse `8^1/3` and `√9/4`, which leave open what is divided."""
        if not is_enclosed and DIVIDED.match(self.text, self.position):
            raise NotANumber

    def _numeral(self) -> Fraction:
        if match := self.accept(IN_BASE):
            return in_base(match[1], int(match[2] or match[3]))
        if match := self.accept(REPEATING):
            return repeating(match[1], match[2], re.sub(r"\D", "", match[3] + match[4]))
        is_operand = OPERATOR_BEFORE.search(self.text, 0, self.position) is not None
        run = self.expect(RUN)[0]
        value = decimal(run)
        if exponent := self.accept(EXPONENT):
            return value * power(Fraction(10), Fraction(exponent[1]))
        if run.isdigit() and not is_operand:
            return value + self._fraction_behind()
        if " " in run:  # `5 123/125` could be a mixed number
            self._end_unless(None)
        return value

    def _fraction_behind(self) -> Fraction:
        """Read the fraction of a mixed number, 0 if there is none."""
        if match := self.accept(MIXED):
            fraction = quotient(Fraction(match[1]), Fraction(match[2]))
        elif self.accept(MIXED_TEX):
            fraction = self._atom()
        else:
            return Fraction(0)
        self._end_unless(None)
        if not 0 < fraction < 1:
            raise NotANumber
        return fraction


def evaluated(text: str) -> Fraction:
    """Return the value of a whole text, calculations included. Raises NotANumber."""
    expression = Expression(text.strip())
    value = expression.sum()
    if expression.position < len(expression.text):
        raise NotANumber
    return value


def decimal(run: str) -> Fraction:
    """Return the number of a run of digits with separators. Raises NotANumber if it has two."""
    for pattern, mark in GROUPINGS:
        if len(run) <= MAX_DIGITS and pattern.fullmatch(run):
            whole, _, places = run.partition(mark)
            digits = re.sub(r"\D", "", whole)
            return Fraction(f"{digits or 0}.{places or 0}")
    raise NotANumber


def repeating(whole: str, before: str, block: str) -> Fraction:
    """Return the value of whole.before(block)(block)…"""
    scale = 10 ** len(before)
    value = Fraction(int(block), scale * (10 ** len(block) - 1))
    return int(whole or 0) + Fraction(int(before or 0), scale) + value


def in_base(digits: str, base: int) -> Fraction:
    if not 2 <= base <= 36 or int(max(digits)) >= base:
        raise NotANumber
    return Fraction(int(digits, base))


def quotient(top: Fraction, bottom: Fraction) -> Fraction:
    if not bottom:
        raise NotANumber
    return top / bottom


def power(base: Fraction, exponent: Fraction) -> Fraction:
    base = root(base, exponent.denominator)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    size = abs(exponent.numerator)
    if size > MAX_EXPONENT or size * bits > MAX_BITS or (base == 0 and exponent <= 0):
        raise NotANumber
    return base**exponent.numerator


def root(value: Fraction, degree: int) -> Fraction:
    """Return the exact root. Raises NotANumber if it is irrational."""
    if degree == 1:
        return value
    if value < 0 or degree > 9 or max(value.numerator, value.denominator) > 10**MAX_DIGITS:
        raise NotANumber
    result = Fraction(
        round(value.numerator ** (1 / degree)), round(value.denominator ** (1 / degree))
    )
    if result**degree != value:
        raise NotANumber
    return result
