"""Only a reply that its server calls finished is whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.teacher.completion import Completion, parse_completion
from shared.teacher.finish_reasons import Finish, finish_of

LIMIT = 64


def completion(tokens: int = 5, **choice: Any) -> Completion:
    choices = [{"message": {"content": "It opens"}, **choice}]
    usage = {"prompt_tokens": 9, "completion_tokens": tokens}
    return parse_completion(json.dumps({"choices": choices, "usage": usage}).encode())


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish.FINISHED),
        ("STOP", Finish.FINISHED),
        ("FinishReason.STOP", Finish.FINISHED),
        ("endTurn", Finish.FINISHED),
        ("end-turn", Finish.FINISHED),
        ("COMPLETE", Finish.FINISHED),
        ("eosFound", Finish.FINISHED),
        ("length", Finish.TRUNCATED),
        ("MAX_TOKENS", Finish.TRUNCATED),
        ("maxTokens", Finish.TRUNCATED),
        ("model_length", Finish.TRUNCATED),
        ("token_limit", Finish.TRUNCATED),
        ("content_filter: PROHIBITED_CONTENT", Finish.FILTERED),
        ("SAFETY", Finish.FILTERED),
        ("refusal", Finish.REFUSED),
        ("error", Finish.INTERRUPTED),
        ("abort", Finish.INTERRUPTED),
        ("cancelled", Finish.INTERRUPTED),
        ("tool_calls", Finish.INTERRUPTED),
        ("insufficient_system_resource", Finish.INTERRUPTED),
        ("of a server to come", Finish.INTERRUPTED),
        ("unstop", Finish.INTERRUPTED),
    ],
)
def test_finish_reasons_of_many_servers(reason: str, finish: Finish) -> None:
    assert completion(finish_reason=reason).finish(LIMIT) is finish


def test_a_gateways_stop_does_not_hide_that_its_upstream_cut_the_reply_off() -> None:
    assert finish_of("stop", "MAX_TOKENS") is Finish.TRUNCATED
    assert finish_of("stop", "SAFETY") is Finish.FILTERED
    assert finish_of("stop", "some_native_name") is Finish.FINISHED
    assert finish_of("length", "stop") is Finish.TRUNCATED


@pytest.mark.parametrize("reason", [None, "", 3])
def test_a_reply_whose_reason_is_null_is_not_finished(reason: Any) -> None:
    assert completion(finish_reason=reason).finish(LIMIT) is Finish.INTERRUPTED


@pytest.mark.parametrize(
    ("tokens", "finish"),
    [(5, Finish.FINISHED), (0, Finish.INTERRUPTED), (LIMIT, Finish.INTERRUPTED)],
)
def test_a_server_without_finish_reasons_is_judged_by_its_tokens(
    tokens: int, finish: Finish
) -> None:
    assert completion(tokens).finish(LIMIT) is finish


def test_a_gateway_may_keep_anthropics_name_of_the_field() -> None:
    assert completion(stop_reason="max_tokens").finish(LIMIT) is Finish.TRUNCATED
    assert completion(finish_reason="stop", stop_reason=128001).finish(LIMIT) is Finish.FINISHED
