"""Arithmetic on one line, worked out exactly: sums, fractions, powers, roots.

A short text in plain spelling (see `number_spelling`) that a pattern allows is parsed as a Python
expression and worked out node by node. Digits, exponents and nesting are bounded, so `9^9^9^9` and
a thousand brackets are refused at once.
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction

MAX_DIGITS = 40  # longer numbers answer no word problem
MAX_EXPONENT = 200
MAX_BITS = 1000  # of a power
MAX_NESTING = 40

GROUPINGS = [  # pattern of a whole run of digits, and its decimal mark
    (re.compile(r"\d*\.?\d+"), "."),
    (re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?"), "."),
    (re.compile(r"[1-9]\d?(?:,\d\d)+,\d{3}(?:\.\d+)?"), "."),
    (re.compile(r"[1-9]\d{0,2}([ '_])\d{3}(?:\1\d{3})*(?:\.\d+)?"), "."),
    (re.compile(r"[1-9]\d{0,2}([ '.])\d{3}(?:\1\d{3})*,\d+"), ","),
    (re.compile(r"[1-9]\d{0,2}(?:\.\d{3}){2,}"), ","),
    (re.compile(r"0,\d+|\d+,\d\d?"), ","),
]
NUMERAL = re.compile(r"(\d+(?:[.,]\d+|[ '_]\d{3}(?!\d))*|\.\d+)(?:[eE]([-+]?\d{1,3})(?![\w.]))?")
MIXED = re.compile(r"(\d{1,15})(?: {1,2}(?!\d{3}\D)| and )(\d{1,15}) ?/ ?(\d{1,15})(?! ?[\d/.,^])")
REPEATING = re.compile(r"(\d{0,15})\.(\d{0,15})\((\d{1,15})\)((?:\(\d\))*)")
OPERAND = rf"(?:[-+]?[(√∛] ?)*[-+]?{NUMERAL.pattern}(?: ?\))*"
EXPRESSION = re.compile(rf"{OPERAND}(?:(?: *[-+×÷/]| ?\^) *{OPERAND})*")
NUMBER = rf"{MIXED.pattern}|{REPEATING.pattern}|{EXPRESSION.pattern}"
# It is open what is divided in `8^1/3` and `√9/4`; `5 123/125` could be a mixed number.
UNCLEAR_DIVISION = re.compile(r"(?:[\^√∛] ?[-+]?|\d[ '_])[\d.]+ ?[/÷]")
# Sums and products are numbers only before an equals sign.
CALCULATION = re.compile(r"[\d)] *[-+÷]|×(?! *10 ?\^)|/.*/")
PYTHON = str.maketrans({"×": "*", "÷": "/", "^": "**", "√": "sqrt", "∛": "cbrt"})


class NotANumber(Exception):
    """The text is not one number, or not for certain."""


def number_value(text: str) -> Fraction:
    """Return the value of a `NUMBER`. Raises NotANumber."""
    if number := MIXED.fullmatch(text):
        fraction = Fraction(int(number[2]), int(number[3]) or 1)
        if not 0 < fraction < 1:
            raise NotANumber
        return int(number[1]) + fraction
    if number := REPEATING.fullmatch(text):
        return repeating(number[1], number[2], re.sub(r"\D", "", number[3] + number[4]))
    if CALCULATION.search(text):
        raise NotANumber
    return evaluated(text)


def evaluated(text: str) -> Fraction:
    """Return the value of a whole text, calculations included. Raises NotANumber."""
    nesting = sum(map(text.count, "(^√∛"))
    if numeral := NUMERAL.fullmatch(text):
        return _numeral(numeral)
    is_clear = EXPRESSION.fullmatch(text) and not UNCLEAR_DIVISION.search(text)
    if not is_clear or nesting > MAX_NESTING:
        raise NotANumber
    numerals: dict[str, Fraction] = {}

    def named(numeral: re.Match[str]) -> str:
        name = f"n{len(numerals)}"
        numerals[name] = _numeral(numeral)
        return name

    try:
        expression = ast.parse(NUMERAL.sub(named, text.translate(PYTHON)), mode="eval")
        return _value(expression.body, numerals)
    except (SyntaxError, ZeroDivisionError):
        raise NotANumber from None


def _value(node: ast.expr, numerals: dict[str, Fraction]) -> Fraction:
    match node:
        case ast.Name(id=name) if name in numerals:
            return numerals[name]
        case ast.UnaryOp(op=sign, operand=operand):
            value = _value(operand, numerals)
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=first, op=operator, right=second):
            return _result(_value(first, numerals), operator, _value(second, numerals))
        case ast.Call(func=ast.Name(id="sqrt" | "cbrt" as name), args=[operand]):
            return root(_value(operand, numerals), 2 if name == "sqrt" else 3)
        case _:
            raise NotANumber


def _result(first: Fraction, operator: ast.operator, second: Fraction) -> Fraction:
    match operator:
        case ast.Add():
            return first + second
        case ast.Sub():
            return first - second
        case ast.Mult():
            return first * second
        case ast.Div():
            return first / second
        case _:
            return power(first, second)


def decimal(run: str) -> Fraction:
    """Return the number of a run of digits with separators. Raises NotANumber if it has two."""
    for pattern, mark in GROUPINGS:
        if len(run) <= MAX_DIGITS and pattern.fullmatch(run):
            whole, _, places = run.partition(mark)
            digits = re.sub(r"\D", "", whole)
            return Fraction(f"{digits or 0}.{places or 0}")
    raise NotANumber


def _numeral(numeral: re.Match[str]) -> Fraction:
    value = decimal(numeral[1])
    return value * power(Fraction(10), Fraction(numeral[2])) if numeral[2] else value


def repeating(whole: str, before: str, block: str) -> Fraction:
    """Return the value of whole.before(block)(block)…"""
    scale = 10 ** len(before)
    value = Fraction(int(block), scale * (10 ** len(block) - 1))
    return int(whole or 0) + Fraction(int(before or 0), scale) + value


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
    top = round(value.numerator ** (1 / degree))
    result = Fraction(top, round(value.denominator ** (1 / degree)))
    if result**degree != value:
        raise NotANumber
    return result
