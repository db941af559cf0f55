"""The input contract: every line becomes a row or a rejection that says what is wrong."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.rejection import Rejection
from shared.dataset.rows import Row, as_jsonl, parse_row
from shared.dataset.unused_fields import unused_field_warnings
from shared.tasks import TASKS

USER = {"role": "user", "content": "hello"}
ASSISTANT = {"role": "assistant", "content": "hi"}
SYSTEM = {"role": "system", "content": "be kind"}


def line(*messages: Any, **fields: Any) -> bytes:
    return json.dumps({"messages": list(messages), **fields}).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "invalid_json"),
        (b'{"messages": NaN', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"\xff\xfe", "invalid_utf8"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "missing_messages"),
        (line(), "missing_messages"),
        (b'{"messages": "hello"}', "missing_messages"),
        (line("hello"), "invalid_message"),
        (line({"role": "tool", "content": "x"}), "unknown_role"),
        (line({"role": ["user"], "content": "x"}), "unknown_role"),
        (line({"role": "user"}), "invalid_content"),
        (line({"role": "user", "content": None}), "invalid_content"),
        (line({"role": "user", "content": 7}), "invalid_content"),
        (line({"role": "user", "content": [{"type": "image_url"}]}), "invalid_content"),
        (line({"role": "user", "content": "\ud800"}), "invalid_content"),
        (line({"role": "user", "content": " \n"}), "empty_content"),
        (line({"role": "user", "content": "\u200b\ufeff"}), "empty_content"),
        (line({"role": "system", "text": "be kind"}, USER), "invalid_content"),
        (
            line(USER, {"role": "assistant", "content": None, "audio": {"id": "x"}}),
            "invalid_content",
        ),
        (b'{"messages": [{"role": "user", "content": "a", "content": "b"}]}', "invalid_json"),
        (line(USER)[:-1] + b', "answer": 2, "answer": 3}', "invalid_json"),
        (line(SYSTEM), "wrong_turns"),
        (line(ASSISTANT), "wrong_turns"),
        (line(USER, USER), "wrong_turns"),
        (line(USER, SYSTEM), "wrong_turns"),
        (line(USER, {"role": "assistant", "content": ""}, USER), "empty_content"),
        (line(USER, ASSISTANT, {"role": "user", "content": ""}), "empty_content"),
        (line({"role": "assistant", "content": ""}), "wrong_turns"),
        (line({"role": "developer", "content": " "}), "wrong_turns"),
        (line(USER, {"role": "assistant", "content": None, "tool_calls": [1]}), "invalid_content"),
        (line(USER, {**ASSISTANT, "weight": 0}), "zero_weight"),
        (line(USER, {**ASSISTANT, "weight": 1}, USER, weight=0.0), "zero_weight"),
        (None, "line_too_long"),
    ],
)
def test_a_bad_line_is_rejected_by_name(content: bytes | None, reason: str) -> None:
    parsed = parse_row(content)
    assert isinstance(parsed, Rejection)
    assert (parsed.reason, bool(parsed.detail)) == (reason, True)


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert parse_row(line({"role": "user", "content": parts})) == Row(
        ({"role": "user", "content": "one\ntwo"},)
    )


@pytest.mark.parametrize(
    "content",
    [["hello"], [{"text": "hello"}], [{"type": "input_text", "text": "hello"}]],
)
def test_parts_may_be_plain(content: list[Any]) -> None:
    assert parse_row(line({"role": " User", "content": content})) == parse_row(line(USER))


@pytest.mark.parametrize("answer", ["", "  ", [], {}])
def test_an_empty_answer_is_no_reference(answer: Any) -> None:
    assert parse_row(line(USER, answer=answer)) == parse_row(line(USER))
    with_final_answer = parse_row(line(USER, ASSISTANT, answer=answer))
    assert with_final_answer == parse_row(line(USER, ASSISTANT))


def test_a_number_of_any_length_and_keys_that_are_there_twice_alike_harm_no_row() -> None:
    row = line(USER)[:-1]
    parsed = parse_row(row + b', "answer": ' + b"9" * 5000 + b"}")
    assert isinstance(parsed, Row)
    assert parsed.reference == "9" * 5000
    assert parse_row(row + b', "id": 1, "id": 1}') == parse_row(line(USER, id=1))


def test_a_row_without_messages_is_told_its_keys() -> None:
    parsed = parse_row(b'{"Messages": [], "source": "x"}')
    assert isinstance(parsed, Rejection)
    assert "the keys Messages, source" in parsed.detail


def test_ids_and_reference_answers_are_kept() -> None:
    assert parse_row(line(USER, id=7, answer=3.5)) == Row(
        ({"role": "user", "content": "hello"},), "7", "3.5"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-2.5, "-2.5"),
        (["a", "b"], '["a", "b"]'),
        ({"text": "é"}, '{"text": "é"}'),
        ("ä\ud83d", "ä?"),
        (["\udc00"], '["?"]'),
        (None, None),
    ],
)
def test_no_row_is_lost_for_what_its_id_or_answer_holds(value: Any, text: str | None) -> None:
    parsed = parse_row(line(USER, id=value, answer=value))
    assert isinstance(parsed, Row)
    assert (parsed.id, parsed.reference) == (text, text)


def test_the_developer_role_is_the_system_role() -> None:
    parsed = parse_row(line({"role": "developer", "content": "be kind"}, USER))
    assert parsed == parse_row(line(SYSTEM, USER))


@pytest.mark.parametrize("content", ["", " \n", None, [], [{"type": "text", "text": ""}]])
def test_an_empty_system_prompt_or_final_answer_is_as_absent(content: Any) -> None:
    alone = parse_row(line(USER))
    assert parse_row(line({"role": "system", "content": content}, USER)) == alone
    assert parse_row(line(USER, {"role": "assistant", "content": content})) == alone
    placeholder = {"role": "developer", "content": content}
    assert parse_row(line(placeholder, USER, {"role": "assistant", "content": content})) == alone


def test_problems_name_the_message_as_the_file_has_it() -> None:
    parsed = parse_row(line({"role": "system", "content": ""}, USER, USER))
    assert isinstance(parsed, Rejection)
    assert parsed.detail == "messages[2] is from user, assistant is due"


def test_fields_that_a_run_does_not_use_are_named_and_harm_no_row() -> None:
    tool = {"type": "function", "function": {"name": "look_up"}}
    parsed = parse_row(
        line(
            {**USER, "name": "Ann"},
            {**ASSISTANT, "weight": 1},
            {**USER, "weight": 0},
            tools=[tool],
            parallel_tool_calls=False,
            functions=[],
            note="mine",
        )
    )
    assert isinstance(parsed, Row)
    assert parsed.unused_fields == (
        "tools",
        "parallel_tool_calls",
        "messages[].name",
        "messages[].weight",
    )
    [warning] = unused_field_warnings([*parsed.unused_fields, "tools"])
    assert warning.endswith(": messages[].name, messages[].weight, parallel_tool_calls, tools")
    assert unused_field_warnings([]) == []


def test_a_refused_weight_is_named_with_its_place() -> None:
    parsed = parse_row(line(USER, {**ASSISTANT, "weight": 0}, USER, id="r"))
    assert isinstance(parsed, Rejection)
    assert (parsed.id, parsed.detail.split(",")[0]) == ("r", "messages[1].weight is 0")


def test_a_rejection_carries_the_rows_id() -> None:
    parsed = parse_row(line({"role": "user", "content": ""}, id="row-9"))
    assert isinstance(parsed, Rejection)
    assert parsed.id == "row-9"


def test_half_a_surrogate_pair_in_a_field_that_is_not_used_harms_no_row() -> None:
    message = {**USER, "name": "\ud800"}
    assert isinstance(parse_row(line(message, note="\udfff", id="row-1")), Row)


def test_a_final_assistant_message_is_the_reference_answer_and_no_part_of_the_question() -> None:
    parsed = parse_row(line(SYSTEM, USER, ASSISTANT))
    assert isinstance(parsed, Row)
    checked = TASKS["math"].check(parsed)
    assert isinstance(checked, Row)
    assert (checked.reference, [m["role"] for m in checked.messages]) == ("hi", ["system", "user"])


def test_several_turns_are_a_conversation_only() -> None:
    parsed = parse_row(line(USER, ASSISTANT, USER))
    assert isinstance(parsed, Row)
    assert isinstance(TASKS["nli"].check(parsed), Rejection)
    assert TASKS["conversation"].check(parsed) == parsed
    assert TASKS["conversation"].turns(parsed) == 2


def test_a_question_without_choices_is_rejected_before_the_teacher_is_paid() -> None:
    parsed = parse_row(line({"role": "user", "content": "Where do fish live?"}))
    assert isinstance(parsed, Row)
    checked = TASKS["nlu_qa"].check(parsed)
    assert isinstance(checked, Rejection)
    assert checked.reason == "no_choices"


def test_a_row_with_several_problems_is_counted_by_the_first_and_tells_them_all() -> None:
    parsed = parse_row(
        line(USER, {"role": "tool", "content": "x"}, {"role": "user", "content": " "}, 7, id="r")
    )
    assert isinstance(parsed, Rejection)
    assert (parsed.reason, parsed.id) == ("unknown_role", "r")
    assert parsed.detail == (
        'messages[1].role is "tool": it must be one of system, user, assistant; '
        "messages[2].content is empty; messages[3] is a number, not an object"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "text"]), inner)
    ),
    max_leaves=8,
)


texts_with_half_surrogates = st.text(st.sampled_from("a ü😀\ud83d\udc00"), max_size=4)


@given(st.binary(max_size=60) | json_values.map(lambda v: json.dumps({"messages": v}).encode()))
def test_no_line_whatsoever_raises(content: bytes) -> None:
    assert isinstance(parse_row(content), Row | Rejection)


@given(texts_with_half_surrogates, texts_with_half_surrogates, texts_with_half_surrogates)
def test_whatever_is_kept_of_a_row_can_be_written_to_a_file(
    row_id: str, answer: str, content: str
) -> None:
    message = {"role": "user", "content": content}
    lists: dict[str, Any] = {"labels": [answer, row_id], "choices": {answer: [row_id]}}
    parsed = parse_row(line(message, id=row_id, answer=answer, **lists))
    assert as_jsonl([asdict(parsed)])


def hash_of(*turns: tuple[str, str], **fields: object) -> bytes:
    messages = [{"role": role, "content": content} for role, content in turns]
    row = parse_row(json.dumps({"messages": messages, **fields}).encode())
    assert isinstance(row, Row)
    return row.question_hash()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("How many bees?", "how  many\nBEES? "),
        ("Wie groß ist die Straße?", "WIE GROSS IST DIE STRASSE?"),
        ("Caf\u00e9 or tea?", "Cafe\u0301 or tea?"),
        ("The \ufb01nal \uff11\uff12 rows?", "The final 12 rows?"),
        ("Ten\u00a0km?", "Ten km?"),
    ],
)
def test_rows_that_ask_the_same_in_another_spelling_are_duplicates(first: str, second: str) -> None:
    assert hash_of(("user", first)) == hash_of(("user", second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("What is x²?", "What is x2?"),
        ("Half of ½?", "Half of 1/2?"),
        ("ab c?", "a bc?"),
        ("1?", "2?"),
    ],
)
def test_rows_that_ask_something_else_are_no_duplicates(first: str, second: str) -> None:
    assert hash_of(("user", first)) != hash_of(("user", second))


def test_answers_that_the_teacher_writes_anew_make_no_other_conversation() -> None:
    first = hash_of(("user", "Hello"), ("assistant", "Hi!"), ("user", "Bye"))
    assert first == hash_of(("user", "Hello"), ("assistant", "Good day."), ("user", "bye"))
    assert first != hash_of(("user", "Hello Bye"))
    assert first != hash_of(("system", "Hello"), ("user", "Bye"))


def test_id_and_reference_make_no_other_row_but_the_choices_that_it_offers_do() -> None:
    question = ("user", "Which one?")
    assert hash_of(question, id="1", answer="A") == hash_of(question, id="2", answer="B")
    assert hash_of(question, choices=["ice", "fire"]) != hash_of(question, choices=["ice", "fog"])
