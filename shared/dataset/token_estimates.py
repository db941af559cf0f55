"""How many tokens a text has, about: by one stated rule, as no tokenizer fits every teacher and student.

Latin letters count four to a token, digits three, characters of scripts that are written without spaces one each, other
letters two to a token, everything else one each; a message costs four more. For English that is mostly a little above what
today's tokenizers say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shared.dataset.rows import Message

TOKENS_PER_MESSAGE = 4
TOKENS_PER_REQUEST = 3

_DENSE = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff"  # Thai, Kana, Han, Hangul
_TOKEN = re.compile(
    rf"[A-Za-z]{{1,4}}|[0-9]{{1,3}}|[{_DENSE}]|[^\W\d_A-Za-z{_DENSE}]{{1,2}}|[^\sA-Za-z0-9]"
)


def text_tokens(text: str) -> int:
    """Tokens of a text, about; 0 for an empty one. One expression in one pass, as every row of every dataset is counted."""
    return len(_TOKEN.findall(text))


def fits(messages: Iterable[Message], context: int) -> bool:
    """Whether a conversation has at most `context` tokens. Counted only where its length leaves that open."""
    every = list(messages)
    # a token is at least one character
    at_most = TOKENS_PER_REQUEST + sum(
        TOKENS_PER_MESSAGE + len(message["content"]) for message in every
    )
    return at_most <= context or chat_tokens(every) <= context


def chat_tokens(messages: Iterable[Message]) -> int:
    """Tokens of a conversation as a chat format writes it, about."""
    return TOKENS_PER_REQUEST + sum(
        TOKENS_PER_MESSAGE + text_tokens(message["content"]) for message in messages
    )
