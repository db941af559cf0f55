"""What a reply means: an answer, another try, one row's end, or the run's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.teacher.capabilities import Capabilities, SentRequest
from shared.teacher.completion import Completion, TeacherDown
from shared.teacher.finish_reasons import Finish
from shared.teacher.outcome import Failed, Outcome, read_reply
from shared.teacher.transport import Reply
from tests.support.http_teacher import completion

SENT = SentRequest(max_tokens=64, url_setting="TEACHER_ENDPOINTS.1", key_setting="KEY_1")


def outcome(status: int, body: Any, **headers: str) -> Outcome:
    reply = Reply(status, headers, json.dumps(body).encode())
    return read_reply(reply, Capabilities(), SENT)


def failure(status: int, body: Any) -> Failed:
    failed = outcome(status, body)
    assert isinstance(failed, Failed)
    return failed


@pytest.mark.parametrize("status", [200, 201])
def test_any_status_of_success_brings_an_answer(status: int) -> None:
    assert isinstance(outcome(status, completion()), Completion)


NOT_FOR_THIS_KEY: list[tuple[int, dict[str, Any], str]] = [
    (402, {"error": {"code": 402, "message": "Insufficient credits."}}, "teacher_402"),
    (410, {"error": {"message": "this model is retired"}}, "teacher_410"),
    (429, {"error": {"type": "insufficient_quota", "code": "429"}}, "teacher_insufficient_quota"),
    (400, {"error": {"type": "budget_exceeded", "code": "400"}}, "teacher_budget_exceeded"),
    (403, {"error": {"message": "Your account has been flagged."}}, "teacher_403"),
]


@pytest.mark.parametrize(("status", "body", "code"), NOT_FOR_THIS_KEY)
def test_what_would_refuse_every_row_ends_the_run(
    status: int, body: dict[str, Any], code: str
) -> None:
    with pytest.raises(TeacherDown) as down:
        outcome(status, body)
    assert down.value.code == code


def test_reasoning_that_used_up_all_tokens_is_a_reply_that_was_cut_off() -> None:
    message = "Could not finish the message because max_tokens or model output limit was reached."
    reply = outcome(400, {"error": {"message": message, "type": "invalid_request_error"}})
    assert isinstance(reply, Completion)
    assert reply.finish(SENT.max_tokens) is Finish.TRUNCATED
    assert (reply.text, reply.completion_tokens) == ("", SENT.max_tokens)


FILTERED: list[tuple[int, dict[str, Any]]] = [
    (400, {"error": {"code": "content_filter", "message": "filtered"}}),
    (400, {"error": {"code": "ContentFilter", "message": "filtered"}}),
    (400, {"error": {"code": "400", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
    (400, {"error": {"code": "invalid_prompt", "message": "It may violate our usage policy."}}),
    (400, {"error": {"code": "data_inspection_failed", "message": "no"}}),
    (400, {"error": {"message": "litellm.ContentPolicyViolationError: no", "code": "400"}}),
    (403, {"error": {"code": 403, "message": "Moderation is on and your input was flagged"}}),
    (403, {"error": {"code": 403, "message": "no", "metadata": {"flagged_input": "the text"}}}),
]


@pytest.mark.parametrize(("status", "body"), FILTERED)
def test_a_content_filter_costs_one_row_whatever_its_words(
    status: int, body: dict[str, Any]
) -> None:
    filtered = failure(status, body)
    assert (filtered.reason, filtered.is_retried) == ("content_filter", False)


@pytest.mark.parametrize("status", [408, 409, 424, 425, 498, 500, 503, 529])
def test_what_may_pass_is_tried_again(status: int) -> None:
    tried_again = failure(status, {"error": {"message": "no capacity"}})
    assert (tried_again.reason, tried_again.is_retried) == ("teacher_error", True)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_an_address_that_redirects_is_named_with_the_new_one(status: int) -> None:
    with pytest.raises(TeacherDown) as down:
        outcome(status, "", Location="https://teacher.example/v1?state=secret-word")
    assert "redirects to https://teacher.example/v1 (" in str(down.value)
    assert "set the app setting TEACHER_ENDPOINTS.1" in str(down.value)
