"""Logs of chat completions become rows that end with the reply; what isn't a whole text doesn't."""

from __future__ import annotations

import csv
import io
import json
from argparse import Namespace
from pathlib import Path
from typing import Any, cast

import pytest

from local.cli.commands.arguments import parse
from local.cli.commands.convert import main
from shared.dataset.file_form import file_form

QUESTION: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Are you open?"},
]
REPLY = {"role": "assistant", "content": "Until six."}
ROW = {"id": "c1", "messages": [*QUESTION, REPLY]}


def completion(
    text: object = "Until six.", finish: str | None = "stop", **message: Any
) -> dict[str, Any]:
    choice = {
        "index": 0,
        "finish_reason": finish,
        "message": {"role": "assistant", "content": text, **message},
    }
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }


def batch_line(body: dict[str, Any], status: int = 200, name: str = "c1") -> dict[str, Any]:
    response = {"status_code": status, "request_id": "r", "body": body}
    return {"id": "b", "custom_id": name, "response": response, "error": None}


def batch_request(name: str = "c1", **body: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": QUESTION, **body}
    return {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}


def page(*data: dict[str, Any], has_more: bool = False) -> dict[str, Any]:
    return {"object": "list", "data": list(data), "has_more": has_more}


def stored_messages(first: int = 0) -> list[dict[str, Any]]:
    messages = enumerate(QUESTION[first:], first)
    return [
        {"id": f"c1-{number}", "content_parts": None, **message} for number, message in messages
    ]


class Conversion:
    """The outcome of `convert`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.rows: list[dict[str, Any]] = []
        self.out = ""
        self.err = ""

    def run(self, log: object, *options: str, requests: object = None) -> list[dict[str, Any]]:
        """Convert a log of JSON lines, or a text as it is."""
        source = self._written("log.jsonl", log)
        target = self.folder / "out.jsonl"
        arguments = ["convert", str(source), "-o", str(target), *options]
        if requests is not None:
            arguments += ["--requests", str(self._written("requests.jsonl", requests))]
        chosen: Namespace = parse(arguments)
        code = main(chosen)
        self.out, self.err = self._capsys.readouterr()
        self.rows = [json.loads(line) for line in target.read_bytes().splitlines()]
        assert code == (" + 0 rejected" not in self.out)
        return self.rows

    def _written(self, name: str, content: object) -> Path:
        path = self.folder / name
        lines = cast(list[object], content) if isinstance(content, list) else [content]
        text = content if isinstance(content, str) else "\n".join(map(json.dumps, lines))
        path.write_text(text, encoding="utf-8")
        return path


@pytest.fixture
def conversion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Conversion:
    return Conversion(tmp_path, capsys)


def test_replies_of_a_batch_are_joined_to_its_input_by_custom_id(conversion: Conversion) -> None:
    log = [batch_line(completion("No.", name="x"), name="c2"), batch_line(completion())]
    requests = [batch_request(), batch_request("c2"), batch_request("c3")]
    rows = conversion.run(log, requests=requests)
    assert [row["id"] for row in rows] == ["c2", "c1"]
    assert rows[1] == ROW
    assert "1 of 3 requests have no reply in the log" in conversion.err
    assert '"source": "provided"' in conversion.out


def test_failed_requests_of_a_batch_are_counted_with_what_the_service_said(
    conversion: Conversion,
) -> None:
    expired = {"code": "batch_expired", "message": "too late"}
    limited = {"error": {"code": "429", "message": "slow down"}}
    log = [
        {"id": "b", "custom_id": "c1", "response": None, "error": expired},
        batch_line(limited, status=429, name="c2"),
    ]
    assert conversion.run(log, requests=[batch_request(), batch_request("c2")]) == []
    assert "row 1: failed: batch_expired: too late" in conversion.err
    assert "row 2: failed with status 429: 429: slow down" in conversion.err
    assert "have no reply" not in conversion.err
    assert conversion.out.startswith("2 rows = 0 converted + 2 rejected: ")


def test_a_reply_without_its_request_says_how_to_name_it(conversion: Conversion) -> None:
    assert conversion.run([batch_line(completion())]) == []
    assert "name the file of the requests with --requests" in conversion.err
    assert conversion.run([batch_line(completion())], requests=[batch_request("c9")]) == []
    assert "its custom_id c1 isn't in the file of the requests" in conversion.err


def test_two_requests_of_one_id_are_ambiguous_unless_they_are_the_same(
    conversion: Conversion,
) -> None:
    other = batch_request(messages=QUESTION[1:])
    log = [batch_line(completion())]
    assert conversion.run(log, requests=[batch_request(), other]) == []
    assert "two different ones with id c1" in conversion.err
    assert conversion.run(log, requests=[batch_request(), batch_request()]) == [ROW]


UNUSABLE: list[tuple[dict[str, Any], str]] = [
    (completion("Until", finish="length"), "isn't whole: finish reason length"),
    (completion("Until", finish="content_filter"), "isn't whole: finish reason content_filter"),
    (completion("Until", finish="novel"), "isn't whole: finish reason novel"),
    (completion(finish=None), "has no finish reason"),
    (completion(None, tool_calls=[{"id": "t"}], finish="tool_calls"), "calls a tool"),
    (completion(tool_calls=[{"id": "t"}]), "calls a tool"),
    (completion(None, refusal="I can't."), "declined"),
    (completion(" \n"), "its reply is empty"),
    (completion() | {"choices": completion()["choices"] * 2}, "has 2 choices instead of one"),
    (completion() | {"choices": []}, "has 0 choices"),
    (completion() | {"choices": [{"delta": {"content": "Un"}}]}, "a piece of a streamed reply"),
    (completion([{"type": "image_url"}]), "unknown type 'image_url'"),
    ({"object": "response", "output": []}, "isn't a chat completion"),
]


@pytest.mark.parametrize(("body", "words"), UNUSABLE)
def test_what_is_not_one_whole_text_never_becomes_a_row(
    conversion: Conversion, body: dict[str, Any], words: str
) -> None:
    assert conversion.run([batch_line(body)], requests=[batch_request()]) == []
    assert words in conversion.err


def test_reasoning_and_parts_of_a_reply_are_kept_as_text(conversion: Conversion) -> None:
    parts = [{"type": "text", "text": "Until "}, {"type": "text", "text": "six."}]
    log = [batch_line(completion(parts, reasoning_content="The sign says 6."))]
    [row] = conversion.run(log, requests=[batch_request()])
    reply = row["messages"][-1]["content"]
    assert reply == "<think>\nThe sign says 6.\n</think>\n\nUntil six."


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "content": "6", "tool_call_id": "t"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "t"}]},
    ],
)
def test_a_request_with_images_or_tool_calls_is_rejected(
    conversion: Conversion, message: dict[str, Any]
) -> None:
    requests = [batch_request(messages=[*QUESTION, message])]
    assert conversion.run([batch_line(completion())], requests=requests) == []
    assert "row 1: " in conversion.err


def test_tools_of_a_request_stay_in_the_row_for_the_runs_warning(conversion: Conversion) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    log = [batch_line(completion())]
    assert conversion.run(log, requests=[batch_request(tools=tools)]) == [{**ROW, "tools": tools}]


@pytest.mark.parametrize(
    "messages",
    [
        [page(*stored_messages())],
        page(*stored_messages()),
        [page(*stored_messages(1)), page(stored_messages()[0], has_more=True)],
        [{"id": "c1", "messages": QUESTION}],
    ],
)
@pytest.mark.parametrize("log", [[completion()], page(completion(), has_more=True)])
def test_stored_completions_are_joined_to_their_messages(
    conversion: Conversion, messages: object, log: object
) -> None:
    assert conversion.run(log, requests=messages) == [ROW]


def test_a_stored_completion_that_holds_its_messages_needs_no_other_file(
    conversion: Conversion,
) -> None:
    assert conversion.run([{**completion(), "messages": QUESTION}]) == [ROW]


@pytest.mark.parametrize(
    "messages",
    [
        [page(*stored_messages(), has_more=True)],
        [page(*stored_messages(1))],
    ],
)
def test_missing_messages_of_a_stored_completion_are_noticed(
    conversion: Conversion, messages: object
) -> None:
    assert conversion.run([completion()], requests=messages) == []
    assert "lacks some of its messages: get every page" in conversion.err


def test_parts_of_stored_messages_are_not_replaced_by_their_text(conversion: Conversion) -> None:
    first, second = stored_messages()
    second["content_parts"] = [{"type": "image_url", "image_url": {"url": "x"}}]
    assert conversion.run([completion()], requests=[page(first, second)]) == []
    assert "invalid_content" in conversion.err


def test_replies_without_finish_reason_are_taken_only_if_told_so(conversion: Conversion) -> None:
    log = [{**completion(finish=None), "messages": QUESTION}]
    assert conversion.run(log) == []
    assert "add --assume-finished" in conversion.err
    assert conversion.run(log, "--assume-finished") == [ROW]
    cut_off = [{**completion(finish="length"), "messages": QUESTION}]
    assert conversion.run(cut_off, "--assume-finished") == []


def litellm(**fields: Any) -> dict[str, Any]:
    usual = {"id": "c1", "call_type": "acompletion", "status": "success", "messages": QUESTION}
    return {**usual, "response": completion(), **fields}


def test_a_log_of_litellm_is_converted_but_for_failures_and_redacted_texts(
    conversion: Conversion,
) -> None:
    redacted = "redacted-by-litellm"
    hidden = [{"role": "user", "content": redacted}]
    log = [
        litellm(),
        litellm(status="failure", response={}, error_str="Timeout"),
        litellm(messages=hidden, response=completion(redacted)),
    ]
    assert conversion.run(log) == [ROW]
    assert "row 2: failed: Timeout" in conversion.err
    assert "row 3: its texts are redacted" in conversion.err


def test_a_logged_request_and_its_response_are_one_row(conversion: Conversion) -> None:
    log = [{"request": {"model": "m", "messages": QUESTION}, "response": completion()}]
    assert conversion.run(log) == [{"messages": ROW["messages"]}]


def test_bodies_that_a_log_holds_as_json_in_texts_are_read(conversion: Conversion) -> None:
    request = json.dumps({"model": "m", "messages": QUESTION})
    response = json.dumps(completion())
    table = io.StringIO()
    csv.writer(table).writerows([("request", "response"), (request, response)])
    expected = [{"messages": ROW["messages"]}]
    assert conversion.run([{"request": request, "response": response}]) == expected
    assert conversion.run(table.getvalue()) == expected
    assert conversion.run([litellm(messages=json.dumps(QUESTION), response=response)]) == [ROW]
    assert conversion.run([{"request": "a text", "response": response}]) == []
    assert "request isn't an object" in conversion.err


def gateway(
    name: str, sequence: int, request: object = None, reply: object = None
) -> dict[str, Any]:
    return {
        "TimeGenerated": "2026-11-27T12:00:00Z",
        "CorrelationId": name,
        "SequenceNumber": sequence,
        "RequestMessages": "" if request is None else json.dumps(request),
        "ResponseMessages": "" if reply is None else json.dumps(reply),
    }


GATEWAY_LOG = [
    gateway("c1", 0),
    gateway("c2", 1, QUESTION),
    gateway("c1", 2, reply=[REPLY]),
    gateway("c1", 1, QUESTION),
    gateway("c2", 2, QUESTION),
    gateway("c2", 3, reply=[REPLY]),
    gateway("c3", 1, QUESTION),
    gateway("c4", 1, QUESTION),
    gateway("c4", 2, reply=[REPLY, REPLY]),
]


def test_entries_of_api_managements_log_are_joined_by_request(conversion: Conversion) -> None:
    assert conversion.run(GATEWAY_LOG, "--assume-finished") == [ROW]
    assert "row 2: its request is split over 2 entries" in conversion.err
    assert "row 7: its reply isn't in the log" in conversion.err
    assert "row 8: has 2 replies instead of one" in conversion.err
    assert conversion.out.startswith("9 rows = 1 converted + 3 rejected + 5 joined to them: ")


def test_api_managements_log_names_no_finish_reason(conversion: Conversion) -> None:
    assert conversion.run(GATEWAY_LOG[:4]) == []
    assert "has no finish reason" in conversion.err


def test_api_managements_log_may_be_a_table(conversion: Conversion) -> None:
    table = io.StringIO()
    writer = csv.DictWriter(table, list(GATEWAY_LOG[0]))
    writer.writeheader()
    writer.writerows(entry for entry in GATEWAY_LOG if entry["CorrelationId"] == "c1")
    assert conversion.run(table.getvalue(), "--assume-finished") == [ROW]


def test_rows_that_are_rejected_for_one_reason_are_told_together(conversion: Conversion) -> None:
    log = [{**completion(finish="length"), "messages": QUESTION} for _ in range(7)]
    assert conversion.run(log) == []
    assert conversion.err.startswith("rows 1, 2, 3, 4, 5 and 2 more: its reply isn't whole")


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (batch_line(completion()), "OpenAI batch"),
        (completion(), "OpenAI chat completion"),
        (litellm(), "LiteLLM log"),
        (gateway("c1", 1, QUESTION), "API Management log"),
        ({"request": {}, "response": {}}, "request and response"),
    ],
)
def test_a_log_that_is_uploaded_is_recognised_with_the_command_that_converts_it(
    row: dict[str, Any], name: str
) -> None:
    form = file_form((json.dumps(row) + "\n").encode() * 2)
    assert form is not None
    sentence = form.sentence("datasets/math/x/train.jsonl", "math")
    assert f"rows in {name} format" in sentence
    assert "python3 -m local convert train.jsonl" in sentence
