"""Token counts by one stated rule, so that usage and limits can be checked by hand.

A token is at most six letters or digits, or one other character, with the white space before it.
A message costs its tokens and four more, a request three more: the overhead of chat formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_TOKEN = re.compile(r"\s*\w{1,6}|\s*[^\w\s]|\s+$")
TOKENS_PER_MESSAGE = 4
TOKENS_PER_REQUEST = 3


@lru_cache(maxsize=2048)
def count(text: str) -> int:
    """Return the number of tokens of a text."""
    return sum(1 for _ in _TOKEN.finditer(text))


def count_prompt(contents: Iterable[str]) -> int:
    """Return the number of tokens of a request with messages of these texts."""
    return TOKENS_PER_REQUEST + sum(TOKENS_PER_MESSAGE + count(content) for content in contents)


def cut(text: str, limit: int) -> str:
    """Return the first `limit` tokens of a text."""
    for number, token in enumerate(_TOKEN.finditer(text), start=1):
        if number == limit:
            return text[: token.end()]
    return text
