"""Faults on demand: each option does what it says, from a seed, and a retry can succeed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from local.emulators.teacher import RunningTeacher, TeacherOptions, serve
from local.emulators.teacher.faults import Lottery
from local.emulators.teacher.options import ANSWER_FAULTS, REQUEST_FAULTS
from tests.support.teacher import ask, body, chat, complete, http, post, sdk, user

MATH = "Answer the math question with one integer."
PENS = "Ann has 2 pens and buys 3 more. How many pens does she have?"
QUESTIONS = 40


async def outcomes(
    teacher: RunningTeacher, count: int = QUESTIONS
) -> list[tuple[int, str, str | None]]:
    """(status, finish reason, content) of different questions, one after the other."""
    replies: list[tuple[int, str, str | None]] = []
    async with http(teacher) as session:
        for number in range(count):
            question = f"Ann has {number} pens and buys 3 more. How many pens does she have?"
            status, answered, _ = await post(session, body(question, messages=chat(MATH, question)))
            choice: dict[str, Any] = answered.get("choices", [{}])[0]
            replies.append(
                (status, choice.get("finish_reason", ""), choice.get("message", {}).get("content"))
            )
    return replies


async def test_errors_are_a_mix_of_500_502_and_503_and_spare_the_rest() -> None:
    async with serve(TeacherOptions(error_rate=0.6)) as teacher:
        statuses = [status for status, _, _ in await outcomes(teacher)]
    assert set(statuses) == {200, 500, 502, 503}
    assert 10 <= statuses.count(200) <= 24


async def test_the_sdk_sees_server_errors_as_such() -> None:
    async with serve(TeacherOptions(error_rate=1)) as teacher, sdk(teacher) as client:
        for number in range(6):
            with pytest.raises(openai.InternalServerError):
                await ask(client, user(f"{number}"))


async def test_a_stray_429_says_when_to_come_back() -> None:
    async with serve(TeacherOptions(throttle_rate=1)) as teacher, http(teacher) as session:
        status, answered, headers = await post(session, body())
    assert (status, answered["error"]["code"]) == (429, "rate_limit_exceeded")
    assert headers["retry-after"] == "1"
    assert 0 < int(headers["retry-after-ms"]) <= 1000


async def test_a_hang_lasts_until_the_client_gives_up() -> None:
    async with serve(TeacherOptions(hang_rate=1)) as teacher, sdk(teacher, timeout=0.2) as client:
        with pytest.raises(openai.APITimeoutError):
            await ask(client, user(PENS))
        assert [record.fault for record in teacher.records] == ["hang"]


async def test_closing_the_teacher_ends_its_hangs() -> None:
    async with aiohttp.ClientSession() as session:
        async with serve(TeacherOptions(hang_rate=1)) as teacher:
            asking = asyncio.create_task(
                session.post(f"{teacher.base_url}/chat/completions", json=body())
            )
            while not teacher.records:
                await asyncio.sleep(0)
        with pytest.raises(aiohttp.ClientError):
            await asking


async def test_a_reset_breaks_the_connection() -> None:
    async with serve(TeacherOptions(reset_rate=1)) as teacher, http(teacher) as session:
        with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
            await post(session, body())
        assert [(record.status, record.fault) for record in teacher.records] == [(0, "reset")]


async def test_a_request_with_the_rejected_text_is_refused_each_time() -> None:
    async with serve(TeacherOptions(reject="pens")) as teacher, http(teacher) as session:
        replies = [await post(session, body(text)) for text in (PENS, "Hello", PENS)]
        assert [record.fault for record in teacher.records] == ["reject", "", "reject"]
    assert [status for status, _, _ in replies] == [400, 200, 400]
    assert replies[0][1]["error"]["param"] == "messages"


async def test_a_teacher_without_max_tokens_takes_max_completion_tokens_alone() -> None:
    async with serve(TeacherOptions(no_max_tokens=True)) as teacher, http(teacher) as session:
        names = ("max_tokens", "max_completion_tokens")
        replies = [await post(session, {**body(PENS), name: 100}) for name in names]
    assert [status for status, _, _ in replies] == [400, 200]
    assert replies[0][1]["error"]["code"] == "unsupported_parameter"


async def test_wrong_answers_are_well_formed() -> None:
    async with serve(TeacherOptions(wrong_rate=1)) as teacher:
        for number, (status, finish, content) in enumerate(await outcomes(teacher)):
            assert (status, finish) == (200, "stop")
            assert int(content or "") != number + 3


async def test_malformed_answers_are_of_several_kinds() -> None:
    async with serve(TeacherOptions(malformed_rate=1)) as teacher:
        contents = {content or "" for _, _, content in await outcomes(teacher)}
    assert any("```json" in content for content in contents)
    assert any(content.startswith("{") for content in contents)
    assert any("interesting question" in content for content in contents)
    assert any("perhaps" in content for content in contents)


async def test_truncated_answers_end_with_length() -> None:
    async with serve(TeacherOptions(truncated_rate=1)) as teacher, sdk(teacher) as client:
        cut = await complete(client, user("Tell me how to cook a soup."))
    async with serve() as teacher, sdk(teacher) as client:
        whole = await ask(client, user("Tell me how to cook a soup."))
    content = cut.choices[0].message.content or ""
    assert cut.choices[0].finish_reason == "length"
    assert whole.startswith(content)
    assert 0 < len(content) < len(whole)


async def test_empty_answers_are_empty() -> None:
    async with serve(TeacherOptions(empty_rate=1)) as teacher, sdk(teacher) as client:
        answered = await complete(client, user(PENS))
    assert answered.choices[0].message.content == ""
    assert answered.usage is not None
    assert answered.usage.completion_tokens == 0


async def test_refusals_come_in_their_own_field_or_as_text() -> None:
    async with serve(TeacherOptions(refused_rate=1)) as teacher, sdk(teacher) as client:
        messages = [
            (await complete(client, user(str(number)))).choices[0].message for number in range(20)
        ]
    in_field = [message for message in messages if message.refusal]
    assert 0 < len(in_field) < len(messages)
    assert all(message.content is None for message in in_field)
    assert all("can't help" in (message.refusal or message.content or "") for message in messages)


async def test_the_content_filter_stops_prompts_and_answers() -> None:
    async with serve(TeacherOptions(content_filter_rate=1)) as teacher:
        replies = await outcomes(teacher)
        async with sdk(teacher) as client:
            refused = [await filtered(client, str(number)) for number in range(12)]
    assert {(status, finish) for status, finish, _ in replies} == {
        (400, ""),
        (200, "content_filter"),
    }
    assert any(refused)


async def filtered(client: openai.AsyncOpenAI, text: str) -> bool:
    """Whether the prompt was stopped, in the shape that Azure OpenAI gives."""
    try:
        await ask(client, user(text))
    except openai.BadRequestError as error:
        assert error.code == "content_filter"
        details: Any = error.body
        assert details["innererror"]["code"] == "ResponsibleAIPolicyViolation"
        return True
    return False


async def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    rates: dict[str, Any] = {
        "error_rate": 0.3,
        "throttle_rate": 0.2,
        "wrong_rate": 0.3,
        "empty_rate": 0.2,
    }
    runs: list[Any] = []
    for seed in (1, 1, 2):
        async with serve(TeacherOptions(seed=seed, **rates)) as teacher:
            runs.append(await outcomes(teacher))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


async def test_faults_do_not_depend_on_the_order_of_arrival() -> None:
    texts = [str(number) for number in range(12)]
    replies: list[dict[str, int]] = []
    for order in (texts, texts[::-1]):
        async with (
            serve(TeacherOptions(seed=3, error_rate=0.5)) as teacher,
            http(teacher) as session,
        ):
            replies.append({text: (await post(session, body(text)))[0] for text in order})
    assert replies[0] == replies[1]


async def test_a_retry_of_the_same_request_can_succeed() -> None:
    async with serve(TeacherOptions(error_rate=0.5)) as teacher, http(teacher) as session:
        statuses = [(await post(session, body()))[0] for _ in range(12)]
        assert [record.attempt for record in teacher.records] == list(range(1, 13))
    assert 200 in statuses
    assert len(set(statuses)) > 1


@pytest.mark.parametrize("fault", [*REQUEST_FAULTS, *ANSWER_FAULTS])
def test_a_rate_is_met_over_many_requests(fault: str) -> None:
    rates: dict[str, Any] = {f"{fault}_rate": 0.25}
    lottery = Lottery(TeacherOptions(**rates))
    tickets = [f"request-{number}" for number in range(4000)]
    if fault in REQUEST_FAULTS:
        drawn = [lottery.request_fault(ticket) for ticket in tickets]
    else:
        drawn = [lottery.answer_fault(ticket) for ticket in tickets]
    assert 900 <= drawn.count(fault) <= 1100
    assert set(drawn) == {fault, ""}


async def test_the_log_tells_what_was_asked_how_often_and_holds_no_texts(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "teacher.jsonl"
    async with (
        serve(TeacherOptions(log=log, api_key="secret-key")) as teacher,
        sdk(teacher, "secret-key") as client,
    ):
        for text in (PENS, PENS, "Something else"):
            await ask(client, user(text))
        written = log.read_text()
    entries = [json.loads(line) for line in written.splitlines()]
    assert [(entry["attempt"], entry["status"]) for entry in entries] == [
        (1, 200),
        (2, 200),
        (1, 200),
    ]
    assert entries[0]["request"] == entries[1]["request"] != entries[2]["request"]
    assert all(entry["prompt_tokens"] > 0 and entry["completion_tokens"] > 0 for entry in entries)
    assert "secret-key" not in written
    assert "pens" not in written


async def test_the_hash_of_a_request_ignores_the_order_of_its_fields() -> None:
    async with serve() as teacher, http(teacher) as session:
        await post(session, body(temperature=1))
        await post(session, dict(reversed(body(temperature=1).items())))
        assert [record.attempt for record in teacher.records] == [1, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"error_rate": 1.5},
        {"error_rate": 0.7, "hang_rate": 0.7},
        {"rpm": 0},
        {"latency_ms": -1},
        {"api_key": " "},
        {"reject": ""},
    ],
)
def test_impossible_options_fail_at_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"rate|rpm|latency|key|reject"):
        TeacherOptions(**wrong)


async def test_latency_holds_an_answer_back_and_is_drawn_from_the_seed() -> None:
    lottery = Lottery(TeacherOptions(latency_ms=100, latency_jitter=50))
    drawn = [lottery.latency_s(str(number)) for number in range(200)]
    assert 0.1 <= min(drawn) < max(drawn) <= 0.15
    assert drawn == [lottery.latency_s(str(number)) for number in range(200)]
    async with (
        serve(TeacherOptions(latency_ms=600_000)) as teacher,
        sdk(teacher, timeout=0.2) as client,
    ):
        with pytest.raises(openai.APITimeoutError):
            await ask(client, user(PENS))
        while not teacher.records:
            await asyncio.sleep(0)
        assert [record.fault for record in teacher.records] == ["disconnected"]
