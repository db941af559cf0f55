"""Arithmetic on one line, worked out exactly: fractions, powers, roots, logarithms, bases.

A recursive descent over short texts, in plain spelling (see `number_spelling`) or LaTeX. Digits,
exponents and depth are bounded, so `9^9^9^9` and a thousand braces are refused at once. SymPy and
math-verify read more of LaTeX but take a value from texts that hold two (`3\\text{ or }4`), read
`12{,}345` and `1.234,50` wrongly, and add a second to the start of a worker.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

MAX_DIGITS = 40  # longer numbers answer no word problem
MAX_EXPONENT = 200
MAX_BITS = 1000  # of a power
MAX_DEPTH = 12
MAX_FACTORIAL = 30
MAX_ROOT = 10

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
EXPONENT = re.compile(r"[eE]([-+]?\d{1,4})(?![\w.])")
REPEATING = re.compile(
    r"(\d{0,15})\.(?:(\d{0,15})(?:\\(?:overline|bar|dot) ?(?:\{(\d{1,15})\}|(\d))|\((\d{1,15})\))"
    r"|(\d{0,15}?)(\d{1,5}?)\7{2,}(?:…|\.\.\.))"
)
MIXED = re.compile(r"(?: {1,2}| and )(\d{1,15}) ?/ ?(\d{1,15})(?! ?[\d/.,^])")
MIXED_TEX = re.compile(r" {0,2}(?=\\frac)")
PLUS_OR_MINUS = re.compile(r" *([-+]) *(?![^\W\d_])")
SIGN = re.compile(r"([-+]) *(?![-+])")
POWER_OF_TEN = re.compile(r" *[×·*x] *(?=10 *(?:\^|\*\*))")
TIMES = re.compile(r" *(?:[×·]|\*(?!\*)|x(?= ?\d)) *")
DIVIDED = re.compile(r" *([/÷]) *(?=[\d(\\.√+-])")
RAISED = re.compile(r" ?(?:\^|\*\*) ?")
FACTORIAL = re.compile(r"!(?!=)")
BOX = re.compile(r"\\(?:boxed|fbox) ?(?={)")
FRACTION = re.compile(r"\\frac ?")
ROOT = re.compile(r"\\sqrt ?(?:\[(\d)\])? ?(?={|\d(?!\d))|sqrt ?(?=\()|[√∛]")
LOGARITHM = re.compile(r"\\?log ?(?:_\{(\d{1,3})\}|_?(\d{1,3})(?=[({])|_(\d)(?=[\d ({]))? ?")
DIGIT = re.compile(r" ?(\d)")
CLOSING = {"(": ")", "{": "}", "|": "|"}
OPENING = re.compile(r"[({|]")


class NotANumber(Exception):
    """The text is not one number, or not for certain."""


class Expression:
    """Reads an expression from the beginning of a text, as far as it goes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.depth = 0
        self.divisions = 0
        self.is_calculation = False  # sums and products: a number only behind an equals sign
        self.runs: list[str] = []  # of digits, as written

    def accept(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.position)
        if match:
            self.position = match.end()
        return match

    @property
    def is_at_end(self) -> bool:
        return not self.text[self.position :].strip()

    def sum(self) -> Fraction:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NotANumber
        value = self._product()
        while operator := self.accept(PLUS_OR_MINUS):
            self.is_calculation = True
            term = self._product()
            value = value + term if operator[1] == "+" else value - term
        self.depth -= 1
        return value

    def _product(self) -> Fraction:
        value = self._factor()
        while True:
            if self.accept(POWER_OF_TEN):
                value *= self._factor()
            elif self.accept(TIMES):
                self.is_calculation = True
                value *= self._factor()
            elif sign := self.accept(DIVIDED):
                self.divisions += 1
                self.is_calculation |= self.divisions > 1 or sign[1] == "÷"
                value = quotient(value, self._factor())
            else:
                return value

    def _factor(self) -> Fraction:
        if sign := self.accept(SIGN):
            value = self._raised()
            return -value if sign[1] == "-" else value
        return self._raised()

    def _raised(self) -> Fraction:
        value = self._atom()
        while self.accept(FACTORIAL):
            value = factorial(value)
        if self.accept(RAISED):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise NotANumber
            is_braced = self.text[self.position : self.position + 1] in ("{", "(")
            value = power(value, self._factor())
            self.depth -= 1
            if not is_braced:
                self._end_before_division()
        return value

    def _atom(self) -> Fraction:
        self.accept(BOX)
        if self.accept(FRACTION):
            top = self._argument()
            return quotient(top, self._argument())
        if sign := self.accept(ROOT):
            degree = 3 if sign[0] == "∛" else int(sign[1] or 2)
            return root(self._radicand(), degree)
        if name := self.accept(LOGARITHM):
            base = name[1] or name[2] or name[3] or "10"
            return logarithm(self._radicand(), int(base))
        if opening := self.accept(OPENING):
            value = self.sum()
            if self.text[self.position : self.position + 1] != CLOSING[opening[0]]:
                raise NotANumber
            self.position += 1
            return abs(value) if opening[0] == "|" else value
        return self._numeral()

    def _radicand(self) -> Fraction:
        is_enclosed = self.text[self.position : self.position + 1] in ("{", "(")
        value = self._atom()
        if not is_enclosed:
            self._end_before_division()
        return value

    def _end_before_division(self) -> None:
        """Refuse `8^1/3` and `√9/4`, whose readers differ on what is divided."""
        if DIVIDED.match(self.text, self.position):
            raise NotANumber

    def _argument(self) -> Fraction:
        """Read what LaTeX takes for an argument: a group in braces, or one digit."""
        if digit := self.accept(DIGIT):
            return Fraction(digit[1])
        self.accept(re.compile(" ?(?={)"))
        if self.text[self.position : self.position + 1] != "{":
            raise NotANumber
        return self._atom()

    def _numeral(self) -> Fraction:
        if match := self.accept(IN_BASE):
            return in_base(match[1], int(match[2] or match[3]))
        if match := self.accept(REPEATING):
            before = match[2] if match[6] is None else match[6]
            return repeating(match[1], before or "", match[3] or match[4] or match[5] or match[7])
        run = self.accept(RUN)
        if not run:
            raise NotANumber
        self.runs.append(run[0])
        value = decimal(run[0])
        if exponent := self.accept(EXPONENT):
            return value * power(Fraction(10), Fraction(exponent[1]))
        if run[0].isdigit():
            return value + self._fraction_behind()
        if " " in run[0] and self.accept(DIVIDED):  # `5 123/125` could be a mixed number
            raise NotANumber
        return value

    def _fraction_behind(self) -> Fraction:
        """Read the fraction of a mixed number, 0 if there is none."""
        if match := self.accept(MIXED):
            fraction = quotient(Fraction(match[1]), Fraction(match[2]))
        elif self.accept(MIXED_TEX):
            fraction = self._atom()
        else:
            return Fraction(0)
        if not 0 < fraction < 1 or self.accept(DIVIDED):
            raise NotANumber
        return fraction


def evaluated(text: str) -> Fraction:
    """Return the value of a whole text, calculations included. Raises NotANumber."""
    expression = Expression(text)
    value = expression.sum()
    if not expression.is_at_end:
        raise NotANumber
    return value


def decimal(run: str) -> Fraction:
    """Return the number of a run of digits with separators. Raises NotANumber if it has two."""
    if len(run) > MAX_DIGITS:
        raise NotANumber
    for pattern, mark in GROUPINGS:
        if pattern.fullmatch(run):
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
    if value < 0 or not 2 <= degree <= MAX_ROOT or value.numerator.bit_length() > MAX_BITS:
        raise NotANumber
    top = round(value.numerator ** (1 / degree))
    bottom = round(value.denominator ** (1 / degree))
    if Fraction(top, bottom) ** degree != value:
        raise NotANumber
    return Fraction(top, bottom)


def factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or not 0 <= value <= MAX_FACTORIAL:
        raise NotANumber
    return Fraction(math.factorial(value.numerator))


def logarithm(value: Fraction, base: int) -> Fraction:
    """Return the whole number that a power of the base has for logarithm."""
    if value <= 0 or base < 2:
        raise NotANumber
    size = max(value, 1 / value)
    exponent = 0
    while size > 1 and exponent < MAX_EXPONENT:
        size /= base
        exponent += 1
    if size != 1:
        raise NotANumber
    return Fraction(exponent if value >= 1 else -exponent)
