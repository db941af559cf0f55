"""What one process has learned of a teacher is known to all that work at the same run."""

from __future__ import annotations

import itertools

import pytest

from shared.core.paths import RunPaths
from shared.core.process import Process, current, use
from shared.core.storage import Storage
from shared.teacher.capabilities import Capabilities, Dialect, SentRequest, TokenParameter
from shared.teacher.learned import (
    LearnedCapabilities,
    RunCapabilities,
    adopt_capabilities,
    keep_capabilities,
)
from shared.teacher.response_format import ResponseFormat
from tests.shared.conftest import storage

__all__ = ["storage"]

URL = "https://teacher.example/v1"
RESTRICTED = Dialect(TokenParameter.MAX_COMPLETION_TOKENS, ResponseFormat.JSON_OBJECT)
DIALECTS = [Dialect(*parts) for parts in itertools.product(TokenParameter, ResponseFormat)]


async def test_another_process_adopts_what_a_run_keeps(storage: Storage) -> None:
    paths = RunPaths("learned-1")
    current().part(LearnedCapabilities).of(URL, "m").dialect = RESTRICTED
    await keep_capabilities(storage, paths, [(URL, "m")])
    use(Process())
    await adopt_capabilities(storage, paths)
    learned = current().part(LearnedCapabilities)
    assert learned.of(URL, "m").dialect == RESTRICTED
    assert learned.of(URL, "another").dialect == Dialect()
    assert "teacher.example" not in (await storage.read(paths.capabilities)).decode()


async def test_a_run_that_keeps_nothing_learns_anew(storage: Storage) -> None:
    await adopt_capabilities(storage, RunPaths("learned-nothing"))
    assert current().part(LearnedCapabilities).of(URL, "m").dialect == Dialect()


@pytest.mark.parametrize("known", DIALECTS)
def test_adopting_never_forgets_a_rejection(known: Dialect) -> None:
    for adopted in DIALECTS:
        both = known.restricted_by(adopted)
        formats = list(ResponseFormat)
        strictness = [formats.index(each.response_format) for each in (known, adopted, both)]
        assert strictness[2] == max(strictness)
        assert both == adopted.restricted_by(known)
        names = {known.token_parameter, adopted.token_parameter}
        is_newer = TokenParameter.MAX_COMPLETION_TOKENS in names
        assert (both.token_parameter == TokenParameter.MAX_COMPLETION_TOKENS) is is_newer


def test_a_copy_survives_its_own_json() -> None:
    learned = LearnedCapabilities()
    learned.of(URL, "m").dialect = RESTRICTED
    copy = RunCapabilities.model_validate_json(learned.copy_of([(URL, "m")]).model_dump_json())
    other = LearnedCapabilities()
    other.adopt(copy)
    assert other.of(URL, "m") == Capabilities(RESTRICTED)


def test_a_number_of_tokens_that_is_too_large_says_nothing_about_the_parameters_name() -> None:
    capabilities = Capabilities()
    of_vllm = "'max_tokens' or 'max_completion_tokens' is too large: 9000. The context has 8192"
    assert not capabilities.learn(SentRequest(), 400, of_vllm)
    assert capabilities.dialect == Dialect()


@pytest.mark.parametrize("response_format", ResponseFormat)
def test_a_teacher_that_does_not_hold_replies_to_a_form_is_warned_of(
    response_format: ResponseFormat,
) -> None:
    capabilities = Capabilities(Dialect(response_format=response_format))
    is_held = response_format is ResponseFormat.JSON_SCHEMA
    assert bool(capabilities.warnings) is not is_held
