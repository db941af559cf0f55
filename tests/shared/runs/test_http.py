"""Answers of the HTTP API to what is wrong: one shape, and the status code that fits."""

from __future__ import annotations

import json

import pytest

from shared.core.errors import (
    DistillationError,
    InvalidInput,
    NotFound,
    PermanentError,
    SettingsError,
    TransientError,
)
from shared.core.secrets import redactor
from shared.runs.dry_run import parse_dry_run
from shared.runs.http import MAX_BODY_BYTES, ApiAnswer, error_body, parse_body, query_of, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("x"), 422),
        (InvalidInput("x", code="invalid_json"), 400),
        (InvalidInput("x", code="invalid_query"), 400),
        (NotFound("x"), 404),
        (PermanentError("x", code="run_exists"), 409),
        (PermanentError("x", code="run_ended"), 409),
        (PermanentError("x", code="too_large"), 413),
        (PermanentError("x", code="media_type"), 415),
        (SettingsError("x"), 500),
        (PermanentError("x"), 500),
        (TransientError("x"), 503),
    ],
)
def test_each_kind_of_error_has_its_status_code(error: DistillationError, status: int) -> None:
    assert status_of(error) == status


def test_every_error_has_one_shape() -> None:
    problem = {"where": "task", "problem": "is none"}
    wrong = error_body(InvalidInput("no", details=[{"where": "task", "problem": "is none"}]))
    assert wrong == {"error": {"code": "invalid_input", "message": "no", "details": [problem]}}
    assert error_body(TransientError("later")) == {
        "error": {"code": "unavailable", "message": "later", "details": []}
    }


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8"])
def test_a_json_body_is_read(content_type: str) -> None:
    assert parse_body(content_type, '{"task": "nli", "name": "ü"}'.encode()) == {
        "task": "nli",
        "name": "ü",
    }


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"", 400),
        ("application/json", b"\xff", 400),
        ("application/json", b"[" * 100_000, 400),
        ("", b"{}", 415),
        ("text/plain", b"{}", 415),
        ("application/json", b" " * (MAX_BODY_BYTES + 1), 413),
    ],
)
def test_a_body_that_cannot_be_used_is_a_client_error(
    content_type: str, body: bytes, status: int
) -> None:
    with pytest.raises(PermanentError) as error:
        parse_body(content_type, body)
    assert status_of(error.value) == status
    assert json.dumps(error_body(error.value))


def test_parameters_without_a_value_are_not_overlooked() -> None:
    url = "http://app/api/runs?dry_run&probe=&limit=3&code=a%2Bb"
    query = query_of(url, {"limit": "3", "code": "a+b"})
    assert query == {"dry_run": "", "probe": "", "limit": "3"}
    with pytest.raises(InvalidInput) as error:
        parse_dry_run(query_of("http://app/api/runs?dry_run", {}))
    assert [problem["where"] for problem in error.value.details] == ["dry_run"]


def test_an_answer_has_no_secrets_and_stays_json_whatever_a_client_has_sent() -> None:
    redact = redactor(['endquote12345"'])
    answer = ApiAnswer({"said": ['it is endquote12345"', "ä", "\ud800"]})
    assert json.loads(answer.content(redact)) == {"said": ["it is ***", "ä", "\ud800"]}
