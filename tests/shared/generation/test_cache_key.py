"""What makes two requests the same: everything that decides an answer, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dataset.rows import Row, as_jsonl
from shared.generation import cache_key as module
from shared.generation.cache_key import KEY_CHARACTERS, CacheKeys
from shared.scan.row_checks import RowChecks
from shared.spec.models import QualitySpec, RunSpec, TeacherSpec
from shared.spec.parse import parse_spec
from shared.tasks.prompt_spec import PromptSpec

QUESTION = "What is 2 + 3?"
MAJORITY = {"samples": 3, "select": "majority"}


def spec_of(task: str = "math", **fields: Any) -> RunSpec:
    return parse_spec({"task": task, "train": f"datasets/{task}/x/train.jsonl", **fields})


def row_of(spec: RunSpec, *turns: str, system: str | None = None, **fields: Any) -> Row:
    """Return a row as a run of this specification reads it; `turns` begin with the user's."""
    messages = [{"role": "system", "content": system}] if system else []
    messages += [
        {"role": "assistant" if n % 2 else "user", "content": turn} for n, turn in enumerate(turns)
    ]
    row = RowChecks(spec).shape(as_jsonl([{"messages": messages, **fields}]))
    assert isinstance(row, Row), row
    return row


def key_of(
    *turns: str, task: str = "math", row: dict[str, Any] | None = None, **fields: Any
) -> str:
    spec = spec_of(task, **fields)
    return CacheKeys(spec).of(row_of(spec, *(turns or (QUESTION,)), **(row or {})))


NAMED: dict[str, Any] = {"row": {"system": "You are Ada."}}
CHANGES: list[dict[str, Any]] = [
    {"teacher": {"model": "another"}},
    {"teacher": {"temperature": 0.5}},
    {"teacher": {"top_p": 0.5}},
    {"teacher": {"frequency_penalty": 0.5}},
    {"teacher": {"presence_penalty": 0.5}},
    {"teacher": {"stop": ["END"]}},
    {"teacher": {"seed": 1}},
    {"teacher": {"reasoning_effort": "low"}},
    {"teacher": {"reasoning_effort": "high"}},
    {"teacher": {"extra_body": {"top_k": 5}}},
    {"teacher": {"extra_body": {"top_k": 6}}},
    {"teacher": {"extra_body": {"top_k": None}}},
    {"teacher": {"extra_body": {"top_k": 5, "min_p": 0.1}}},
    {"prompt": {"chain_of_thought": True}},
    {"prompt": {"teacher_system": "Be exact."}},
    {"prompt": {"teacher_system": "Be brave.", "teacher_system_mode": "replace"}, **NAMED},
    {"row": {"system": "Be brief."}},
]
SAME: list[dict[str, Any]] = [
    {"teacher": {"concurrency": 1}},
    {"teacher": {"timeout_seconds": 1}},
    {"teacher": {"max_attempts": 1}},
    {"teacher": {"row_deadline_seconds": 1}},
    {"teacher": {"stop_seconds": 1}},
    {"teacher": {"max_tokens": 50}},
    {"teacher": {"max_tokens_ceiling": 2000}},
    {"teacher": {"extra_body": {}}},
    {"quality": {"min_rows": 1, "min_success_ratio": 0.1}},
    {"quality": {"target_rows": 1000}},
    {"quality": MAJORITY},
    {"quality": {**MAJORITY, "min_agreement": 0.8}},
    {"quality": {**MAJORITY, "tolerance": 0.01}},
    {"prompt": {"student_system": "Be kind.", "student_system_mode": "replace"}},
    {"budget": {"max_tokens": 9}},
    {"holdout": {"fraction": 0.2}},
    {"generation": {"rows_per_shard": 1}},
    {"student": {"backend": "azure_openai", "model": "another"}},
    {"name": "another"},
    {"validation": "datasets/math/x/validation.jsonl"},
    {"row": {"id": "another", "answer": "6"}},
]


def test_everything_that_decides_an_answer_makes_another_key() -> None:
    keys = [key_of(), key_of("What is 2 + 4?"), *(key_of(**change) for change in CHANGES)]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == KEY_CHARACTERS and int(key, 16) for key in keys)


@pytest.mark.parametrize("change", SAME, ids=str)
def test_what_decides_no_answer_leaves_the_key_as_it_is(change: dict[str, Any]) -> None:
    assert key_of(**change) == key_of()


def test_every_setting_of_the_teacher_the_prompt_and_the_quality_is_on_one_of_both_sides() -> None:
    named = {
        (section, key)
        for change in [*CHANGES, *SAME]
        for section, value in change.items()
        for key in value
    }
    elsewhere = {
        ("prompt", "chain_of_density"),
        ("prompt", "max_summary_words"),
        ("prompt", "student_learns"),
        ("quality", "skip_checks"),
        ("quality", "keep"),
        ("quality", "rationalise"),
        ("quality", "near_duplicates"),
    }
    sections = {"teacher": TeacherSpec, "prompt": PromptSpec, "quality": QualitySpec}
    every = {(section, key) for section, model in sections.items() for key in model.model_fields}
    assert every - named == elsewhere


def test_parameters_in_another_order_are_the_same_request() -> None:
    one: dict[str, Any] = {"top_k": 5, "nested": {"a": 1, "b": 2}}
    other: dict[str, Any] = {"nested": {"b": 2, "a": 1}, "top_k": 5}
    assert key_of(teacher={"extra_body": one}) == key_of(teacher={"extra_body": other})


def test_what_the_student_learns_of_an_answer_is_not_what_the_teacher_is_asked() -> None:
    reasoned = {"chain_of_thought": True}
    assert key_of(prompt={**reasoned, "student_learns": "reasoning"}) == key_of(prompt=reasoned)


def test_summaries_by_other_rules_are_other_answers() -> None:
    prompts: list[dict[str, Any]] = [{}, {"chain_of_density": True}, {"max_summary_words": 20}]
    assert (
        len({key_of("Summarise.", task="summarization", prompt=prompt) for prompt in prompts}) == 3
    )


def test_by_which_checks_a_text_is_accepted_is_not_what_the_teacher_is_asked() -> None:
    qualities: list[dict[str, Any]] = [{}, {"skip_checks": ["loop"]}, {"skip_checks": ["echo"]}]
    assert len({key_of("Hi", task="conversation", quality=quality) for quality in qualities}) == 1


def test_the_reference_that_chooses_an_answer_is_not_what_the_teacher_is_asked() -> None:
    by_reference = {"samples": 3, "select": "reference"}
    keys = {key_of(row={"answer": answer}, quality=by_reference) for answer in ("5", "6")}
    assert keys == {key_of()}


def test_a_reference_answer_as_last_message_is_no_part_of_the_question() -> None:
    assert key_of(QUESTION, "5") == key_of(QUESTION, "6") == key_of()


def test_of_a_conversation_every_turn_of_the_user_counts_and_none_of_the_rows_assistant() -> None:
    first = key_of("Hello", "Hi", "How are you?", task="conversation")
    assert key_of("Hello", "Good day", "How are you?", "Well", task="conversation") == first
    assert key_of("Hello", "Hi", "Who are you?", task="conversation") != first
    assert key_of("Hello", task="conversation") != first


def test_the_same_words_are_another_request_for_another_task() -> None:
    assert key_of(task="math") != key_of(task="conversation")


def test_a_new_version_of_the_prompts_makes_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of()
    monkeypatch.setattr(module, "PROMPT_VERSION", "99")
    assert key_of() != before


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
dialogues = st.lists(words, min_size=1, max_size=7)


@given(dialogues, dialogues, st.none() | words, st.none() | words)
def test_requests_are_the_same_when_the_teacher_hears_the_same(
    one: list[str], other: list[str], one_system: str | None, other_system: str | None
) -> None:
    spec = spec_of("conversation")
    keys = CacheKeys(spec)
    rows = [
        row_of(spec, *turns, system=system)
        for turns, system in ((one, one_system), (other, other_system))
    ]
    heard = [
        [message for message in row.messages if message["role"] != "assistant"] for row in rows
    ]
    assert (keys.of(rows[0]) == keys.of(rows[1])) == (heard[0] == heard[1])


@given(st.lists(words, min_size=2, max_size=2))
def test_two_turns_are_not_one_that_reads_the_same(parts: list[str]) -> None:
    assert key_of("".join(parts), task="conversation") != key_of(
        parts[0], "ok", parts[1], task="conversation"
    )


def test_a_text_for_the_teacher_counts_as_the_request_that_it_makes() -> None:
    exact: dict[str, Any] = {"prompt": {"teacher_system": "Be exact."}}
    replaced: dict[str, Any] = {"prompt": {**exact["prompt"], "teacher_system_mode": "replace"}}
    assert key_of(**exact) == key_of(row={"system": "Be exact."})
    assert key_of(**replaced, **NAMED) == key_of(**exact)
    assert key_of(**exact, **NAMED) != key_of(**exact)
