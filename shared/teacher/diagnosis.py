"""Why a teacher rejects preflight's request, found by experiment.

Services word the refusal of a parameter in many ways, and some don't name it. A request that is
rejected in words that the app doesn't know is therefore sent again with fewer parameters, and then
in other dialects. A rejected request costs nothing, and this happens once a run, if at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from shared.spec.models import TeacherSpec
from shared.teacher.capabilities import Dialect, TokenParameter
from shared.teacher.parameters import ParameterRefused, set_parameters, without_parameter
from shared.teacher.response_format import ResponseFormat

MAX_PARAMETERS = 20  # more aren't told apart: each takes two requests


class Rejected(Exception):
    """The teacher rejects a request for its content (4xx), and would reject it again."""


# Sends one request by these settings, in this dialect or else the learned one. Returns why it has
# no answer, None if it has one. Raises Rejected and ParameterRefused.
Ask = Callable[[TeacherSpec, Dialect | None], Awaitable[str | None]]


async def refused_parameters(
    ask: Ask, teacher: TeacherSpec, rejection: Rejected
) -> list[ParameterRefused]:
    """Return the parameters of a rejected request without which it is accepted.

    They are those that, each left out alone, make the request acceptable; otherwise those that are
    rejected each by itself. Without any of either kind, all of them. The list is empty if the
    request is rejected without parameters too.
    """
    names = list(set_parameters(teacher))
    if not 0 < len(names) <= MAX_PARAMETERS:
        return []
    if not await _is_accepted(ask, only(teacher, ())):
        return []
    decisive = [name for name in names if await _is_accepted(ask, without_parameter(teacher, name))]
    refused = decisive or [
        name for name in names if not await _is_accepted(ask, only(teacher, (name,)))
    ]
    return [ParameterRefused(name, str(rejection)) for name in refused or names]


async def accepted_dialect(
    ask: Ask, teacher: TeacherSpec, rejected: Dialect, *, has_schema: bool
) -> Dialect | None:
    """Return the dialect in which a request without optional parameters is accepted, or None."""
    bare = only(teacher, ())
    for dialect in _other_dialects(rejected, has_schema=has_schema):
        if await _is_accepted(ask, bare, dialect):
            return dialect
    return None


def only(teacher: TeacherSpec, names: tuple[str, ...]) -> TeacherSpec:
    """Return the settings with no optional parameters but these."""
    for name in set_parameters(teacher):
        if name not in names:
            teacher = without_parameter(teacher, name)
    return teacher


async def _is_accepted(ask: Ask, teacher: TeacherSpec, dialect: Dialect | None = None) -> bool:
    try:
        return await ask(teacher, dialect) is None
    except (Rejected, ParameterRefused):
        return False


def _other_dialects(rejected: Dialect, *, has_schema: bool) -> Iterator[Dialect]:
    """Yield the dialects that aren't stricter than the rejected one, the nearest first."""
    formats = list(ResponseFormat) if has_schema else [rejected.response_format]
    laxer = formats[formats.index(rejected.response_format) :]
    names = sorted(TokenParameter, key=lambda name: name is not rejected.token_parameter)
    for name, response_format in itertools.product(names, laxer):
        dialect = replace(rejected, token_parameter=name, response_format=response_format)
        if dialect != rejected:
            yield dialect
