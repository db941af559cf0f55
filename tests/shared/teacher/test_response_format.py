"""Response formats: the strictest that the teacher accepts, learned without losing a row."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from local.bootstrap import ROOT
from local.emulators.teacher import TeacherOptions, serve
from shared.core.process import current
from shared.dataset.rows import Row
from shared.scan.row_checks import RowChecks
from shared.spec.models import TeacherSpec
from shared.spec.parse import parse_spec
from shared.tasks import TASKS, Answer, split_reply
from shared.teacher import NoBudget, RowFailure, open_teacher
from shared.teacher.capabilities import Capabilities, Dialect, SentRequest
from shared.teacher.learned import LearnedCapabilities
from shared.teacher.response_format import ResponseFormat
from tests.support.http_teacher import HELLO, Script, SelectiveTeacher, settings, teacher_of

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"answer": {"type": "string"}}}
NO_SCHEMA = (
    "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."
)
NO_OBJECT = "'response_format' of type 'json_object' is not supported."
NLI = (
    "Answer with one of the labels 'entailment', 'neutral' or 'contradiction'.\n\n"
    "Premise: It rains.\nHypothesis: It is wet."
)
TASKS_WITH_FORM: list[tuple[str, str, str]] = [
    ("math", "chain_of_thought", "What is 2 + 3?"),
    ("nli", "chain_of_thought", NLI),
    ("nlu_qa", "chain_of_thought", "Which is a fruit?\n(A) stone\n(B) apple\n(C) chair"),
    (
        "summarization",
        "chain_of_density",
        "Summarise: The cat sat on the mat all day and slept until it was fed.",
    ),
]


def refusal(message: str, status: int = 400) -> tuple[int, Any, dict[str, str]]:
    return status, {"error": {"code": "invalid_value", "message": message}}, {}


def forms_in(script: Script) -> list[str | None]:
    return [body.get("response_format", {}).get("type") for body in script.bodies]


def as_row(text: str) -> Row:
    return Row(({"role": "user", "content": text},))


async def test_the_schema_is_sent_where_a_form_is_asked_for_and_only_there() -> None:
    script = Script()
    async with teacher_of(script) as teacher:
        await teacher.complete(HELLO, schema=SCHEMA)
        await teacher.complete(HELLO)
    assert script.bodies[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "strict": True, "schema": SCHEMA},
    }
    assert "response_format" not in script.bodies[1]


@pytest.mark.parametrize("status", [400, 422, 405, 500, 501])
async def test_a_refused_form_is_given_up_step_by_step_and_costs_the_row_nothing(
    status: int,
) -> None:
    script = Script(refusal(NO_SCHEMA, status), refusal(NO_OBJECT, status))
    async with teacher_of(script, max_attempts=1) as teacher:
        reply = await teacher.complete(HELLO, schema=SCHEMA)
    assert (reply.text, reply.requests) == ("hi", 3)
    assert forms_in(script) == ["json_schema", "json_object", None]


async def test_without_any_form_the_messages_say_in_words_what_the_schema_says() -> None:
    in_words: list[Any] = [{"role": "user", "content": "End with a line: Answer: <value>"}]
    script = Script(refusal(NO_SCHEMA), refusal(NO_OBJECT))
    async with teacher_of(script) as teacher:
        await teacher.complete(HELLO, schema=SCHEMA, unformatted=in_words)
        await teacher.complete(HELLO, schema=SCHEMA)
    assert [body["messages"] for body in script.bodies] == [HELLO, HELLO, in_words, HELLO]


async def test_a_refusal_is_remembered_by_the_process_for_this_teacher_alone() -> None:
    script, other = Script(refusal(NO_SCHEMA)), Script()
    async with teacher_of(script) as teacher, teacher_of(other) as second:
        for _ in range(2):
            await teacher.complete(HELLO, schema=SCHEMA)
        await second.complete(HELLO, schema=SCHEMA)
    assert forms_in(script) == ["json_schema", "json_object", "json_object"]
    assert forms_in(other) == ["json_schema"]
    learned = LearnedCapabilities()
    assert learned.of("http://somewhere/v1", "m") is learned.of("http://somewhere/v1", "m")
    assert learned.of("http://somewhere/v1", "m") is not learned.of("http://somewhere/v1", "other")


async def test_requests_that_are_rejected_at_the_same_time_fall_back_by_one_format() -> None:
    def error_for(body: dict[str, Any]) -> dict[str, Any] | None:
        is_schema = body["response_format"]["type"] == "json_schema"
        return {"code": "invalid_value", "message": NO_SCHEMA} if is_schema else None

    server = SelectiveTeacher(error_for, together=4)
    async with teacher_of(server, max_attempts=1) as teacher:
        replies = await asyncio.gather(*(teacher.complete(HELLO, schema=SCHEMA) for _ in range(4)))
    assert [reply.text for reply in replies] == ["hi"] * 4
    formats = Counter(body["response_format"]["type"] for body in server.bodies)
    assert formats == {"json_schema": 4, "json_object": 4}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("The prompt is too long.", "teacher_rejected"),
        ("Unsupported value: 'temperature'.", "teacher_rejected"),
    ],
)
async def test_other_refusals_cost_their_row_and_no_form(message: str, reason: str) -> None:
    script = Script(refusal(message))
    async with teacher_of(script) as teacher:
        with pytest.raises(RowFailure) as failure:
            await teacher.complete(HELLO, schema=SCHEMA)
        await teacher.complete(HELLO, schema=SCHEMA)
    assert (failure.value.reason, failure.value.requests) == (reason, 1)
    assert forms_in(script) == ["json_schema", "json_schema"]


async def test_an_error_of_the_server_that_mentions_the_form_is_no_refusal_of_it() -> None:
    script = Script(refusal("worker died while it compiled json_schema", 500))
    async with teacher_of(script) as teacher:
        assert (await teacher.complete(HELLO, schema=SCHEMA)).requests == 2
    assert forms_in(script) == ["json_schema", "json_schema"]


async def test_a_refusal_that_speaks_of_forms_though_none_was_asked_for_is_like_any_other() -> None:
    script = Script(refusal(NO_SCHEMA))
    async with teacher_of(script) as teacher:
        with pytest.raises(RowFailure):
            await teacher.complete(HELLO)
    assert len(script.bodies) == 1


def test_a_rejection_without_a_format_left_is_about_something_else() -> None:
    capabilities = Capabilities()
    for response_format, is_sent_again in (
        (ResponseFormat.JSON_SCHEMA, True),
        (ResponseFormat.JSON_OBJECT, True),
        (ResponseFormat.TEXT, False),
    ):
        sent = SentRequest(Dialect(response_format=response_format), has_schema=True)
        assert capabilities.learn(sent, 400, NO_SCHEMA) is is_sent_again
    assert capabilities.dialect.response_format is ResponseFormat.TEXT


def test_a_rejection_of_an_earlier_dialect_is_sent_again_and_changes_nothing() -> None:
    capabilities = Capabilities()
    first = SentRequest(capabilities.dialect, has_schema=True)
    assert capabilities.learn(first, 400, NO_SCHEMA)
    assert capabilities.learn(first, 400, NO_SCHEMA)
    assert capabilities.dialect.response_format is ResponseFormat.JSON_OBJECT


async def test_a_seed_of_a_sample_goes_before_the_one_of_the_specification() -> None:
    script = Script()
    async with teacher_of(script, seed=1) as teacher:
        await teacher.complete(HELLO, seed=5)
        await teacher.complete(HELLO)
    assert [body["seed"] for body in script.bodies] == [5, 1]


@pytest.mark.parametrize(("task", "setting", "text"), TASKS_WITH_FORM)
def test_reasoned_replies_have_a_strict_schema_and_plain_ones_none(
    task: str, setting: str, text: str
) -> None:
    spec = parse_spec({"task": task, "train": "datasets/x/train.jsonl", "prompt": {setting: True}})
    schema = TASKS[task].schema(as_row(text), spec.prompt)
    assert schema is not None
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert schema["required"] == list(schema["properties"])
    plain = parse_spec({"task": task, "train": "datasets/x/train.jsonl"})
    assert TASKS[task].schema(as_row(text), plain.prompt) is None


@pytest.mark.parametrize(("task", "setting", "_text"), TASKS_WITH_FORM)
async def test_the_local_teacher_keeps_to_the_schema_and_is_read(
    task: str, setting: str, _text: str
) -> None:
    spec = parse_spec({"task": task, "train": "datasets/x/train.jsonl", "prompt": {setting: True}})
    first = (ROOT / "samples" / task / "train.jsonl").read_bytes().splitlines()[0]
    row = RowChecks(spec).row(first)
    assert isinstance(row, Row)
    messages = TASKS[task].teacher_messages(row, spec.prompt, [])
    async with (
        serve(TeacherOptions(api_key="sesame", skills={"m": 1.0})) as running,
        open_teacher(
            settings(running.base_url), TeacherSpec(model="m"), budget=NoBudget()
        ) as teacher,
    ):
        reply = await teacher.complete(messages, schema=TASKS[task].schema(row, spec.prompt))
        capabilities = current().part(LearnedCapabilities).of(running.base_url, "m")
        assert capabilities.dialect.response_format is ResponseFormat.JSON_SCHEMA
    assert reply.text.startswith("{")
    assert isinstance(TASKS[task].read(row, spec.prompt, split_reply(reply.text)), Answer), (
        reply.text
    )
