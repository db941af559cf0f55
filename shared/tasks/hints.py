"""Whether a reasoning tells that its writer was shown the answer.

A teacher that is shown a reference reasons towards it. A student can't be taught to do so: at
inference, nobody shows it the answer.
"""

from __future__ import annotations

import re

from shared.core.tables import Table, read_table
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import comparable
from shared.tasks.base import Answer, Unreadable

# of the words that are quoted to the teacher
MAX_QUOTED_CHARACTERS = 60


class _Hints(Table):
    mentions: list[str]


MENTION = re.compile("|".join(read_table(_Hints, __file__).mentions))


def without_hint(answer: Answer) -> Answer | Unreadable:
    """Return the answer, or why it can't be taught: its reasoning mentions that it was given."""
    match = MENTION.search(comparable(answer.reasoning or ""))
    if match is None:
        return answer
    quoted = match[0].strip()[:MAX_QUOTED_CHARACTERS]
    detail = f'the reasoning mentions that the answer was given ("{quoted}")'
    return Unreadable(RejectionReason.UNREADABLE, detail)
