"""The teacher answers rows from its keys, in the form that is asked for, right as often as its
skill says.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulators.teacher import TeacherOptions, serve
from local.emulators.teacher.answer_key import SAMPLES, AnswerKey, sample_keys
from local.emulators.teacher.answers import Answerer
from local.emulators.teacher.chat_requests import parse
from local.emulators.teacher.fallbacks import CANNED, fallback_for
from local.emulators.teacher.prompt import Form, Prompt, read_prompt
from local.emulators.teacher.summaries import word_limit
from tests.support.teacher import Message, ask, chat, rows, sdk, user

REASONED = 'Reply with one JSON object: {"reasoning": "<steps>", "answer": "<answer>"}'
DENSENED = (
    'One JSON object: {"steps": [{"missing_entities": ["<entity>"], "summary": "<summary>"}]}'
)
COMPLAINT = "An earlier reply could not be used: it must be one of: entailment, neutral."
MATH = "Answer the math question with one integer."
NLI = "Answer with one of 'entailment', 'contradiction' or 'neutral'."


def question(row: dict[str, Any]) -> tuple[list[Message], str | None]:
    """The messages that the teacher is sent, and the reference."""
    messages: list[Message] = row["messages"]
    if messages[-1]["role"] == "assistant":
        return messages[:-1], messages[-1]["content"]
    return messages, row.get("answer")


def instructed(messages: list[Message], instruction: str) -> list[Message]:
    """The same question with the instruction at the end of its system prompt."""
    if messages[0]["role"] != "system":
        return [{"role": "system", "content": instruction}, *messages]
    system = f"{messages[0]['content']}\n\n{instruction}"
    return [{"role": "system", "content": system}, *messages[1:]]


def text_prompt(system: str, text: str) -> Prompt:
    return Prompt(system, (text,))


def reply(messages: list[Message]) -> str:
    """What the usual model replies to these messages."""
    request, _ = parse(json.dumps({"model": "local-teacher", "messages": messages}).encode())
    return answerer_with().answer(read_prompt(request), request.model, 0).render()


@pytest.mark.parametrize("task", ["nli", "nlu_qa", "math"])
def test_references_are_matched_plainly_with_reasoning_and_when_asked_again(task: str) -> None:
    questions = [question(row) for row in rows(SAMPLES / task / "validation.jsonl")]
    referenced = [(messages, reference) for messages, reference in questions if reference]
    assert len(referenced) >= 40
    for messages, reference in referenced:
        assert reply(messages) == reference
        reasoned = json.loads(reply(instructed(messages, REASONED)))
        assert reasoned["answer"] == reference
        assert reference in reasoned["reasoning"]
        assert reply(instructed(messages, COMPLAINT)) == reference


def test_summaries_keep_the_word_limit_of_each_request() -> None:
    for row in rows(SAMPLES / "summarization" / "validation.jsonl"):
        messages, _ = question(row)
        assert 15 <= len(reply(messages).split()) <= 80
        shorter = instructed(messages, "The summary must have at most 30 words.")
        assert 5 <= len(reply(shorter).split()) <= 30


async def test_a_chain_of_density_grows_and_names_what_it_adds() -> None:
    row = rows(SAMPLES / "summarization" / "train.jsonl")[0]
    messages = instructed(question(row)[0], DENSENED)
    async with serve() as teacher, sdk(teacher) as client:
        reply = await ask(client, messages, response_format={"type": "json_object"})
    steps = json.loads(reply)["steps"]
    lengths = [len(step["summary"].split()) for step in steps]
    assert len(steps) >= 3
    assert lengths == sorted(set(lengths))
    assert lengths[-1] <= 80
    for step in steps:
        assert all(entity in step["summary"] for entity in step["missing_entities"])
    assert any(step["missing_entities"] for step in steps[1:])


async def test_a_later_turn_is_recognised_by_all_user_turns_before_it() -> None:
    conversations = rows(SAMPLES / "conversation" / "train.jsonl")
    messages: list[Message] = max((row["messages"] for row in conversations), key=len)
    users = [number for number, message in enumerate(messages) if message["role"] == "user"]
    async with serve() as teacher, sdk(teacher) as client:
        answers = [await ask(client, messages[: place + 1]) for place in users]
        alone = await ask(client, [messages[users[-1]]])
    assert len(set(answers)) == len(users)
    assert CANNED not in answers
    assert alone == CANNED


async def test_another_key_adds_rows_and_replaces_those_of_the_samples(tmp_path: Path) -> None:
    row, _ = question(rows(SAMPLES / "math" / "train.jsonl")[0])
    key = tmp_path / "key.jsonl"
    added = [
        {"role": "user", "content": "What colour is it?"},
        {"role": "assistant", "content": "Red."},
    ]
    replaced = [row[-1], {"role": "assistant", "content": "77"}]
    lines = [json.dumps({"messages": messages}) for messages in (added, replaced)]
    key.write_text("\n".join(lines))
    async with serve(TeacherOptions(keys=(key,))) as teacher, sdk(teacher) as client:
        assert await ask(client, chat("Be brief.", "What colour  is it?")) == "Red."
        assert await ask(client, row) == "77"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "Invalid JSON"),
        ('{"messages": []}', "take turns"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "take turns"),
        ('{"messages": [{"role": "tool", "content": "a"}]}', "role|Input"),
    ],
)
def test_a_bad_key_is_named_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    key = tmp_path / "key.jsonl"
    key.write_text(line)
    with pytest.raises(ValueError, match=rf"key\.jsonl, line 1: .*({problem})"):
        AnswerKey([key])


@pytest.mark.parametrize(
    ("system", "text", "expected"),
    [
        (NLI, "Premise: It rains.\nHypothesis: It is wet.", "entailment"),
        ("One of the labels 'refuted', 'supported'.", "Text 1: a\nText 2: b", "refuted"),
        ("", "Premise: It rains.\nHypothesis: It is wet.", "entailment"),
        ("Pick a letter.", "Who wrote it?\n(A) Zed\n(B) Yan\n(C) Xu", "A"),
        ("", "Where is it? (A) here (B) there", "A"),
        (MATH, "Ann has 1,200 pens and buys 3 more. How many has she?", "1203"),
        ("", "What is 3 + 4?", "7"),
        (
            "Summarize in at most 4 words.",
            "Article: It rained in Oslo. It was cold.",
            "It rained in Oslo.",
        ),
        ("Summarize in no more than 3 words.", "It rained in Oslo.", "It rained in."),
        ("Be kind.", "How are you?", CANNED),
        ("Be kind.", "Q: How?\nA: Well.", CANNED),
    ],
)  # fmt: skip
def test_rows_without_a_key_get_the_fallback_of_their_task(
    system: str, text: str, expected: str
) -> None:
    prompt = text_prompt(system, text)
    assert fallback_for(prompt).answer(prompt) == expected


@pytest.mark.parametrize(
    ("system", "words"),
    [
        ("Summarize in at most 45 words.", 45),
        ("Summarize. Do not exceed 80 words. The summary must have at most 60 words.", 60),
        ("Summarize in fewer than 50 words.", 49),
        ("Summarize in 25 words or less.", 25),
        ("Summarize the article.", 80),
    ],
)
def test_word_limits_are_read_from_the_prompt(system: str, words: int) -> None:
    assert word_limit(system, "Article: text") == words


def task_prompts(task: str) -> list[Prompt]:
    prompts: list[Prompt] = []
    for row in rows(SAMPLES / task / "train.jsonl"):
        messages, _ = question(row)
        system = messages[0]["content"] if messages[0]["role"] == "system" else ""
        users = tuple(message["content"] for message in messages if message["role"] == "user")
        prompts.append(Prompt(system, users, has_history=len(users) > 1))
    return prompts


def answered(answerer: Answerer, task: str, model: str, sample: int = 0) -> list[str]:
    return [answerer.answer(prompt, model, sample).text for prompt in task_prompts(task)]


def answerer_with(seed: int = 0, **skills: float) -> Answerer:
    options = TeacherOptions(seed=seed, skills=skills)
    return Answerer(AnswerKey(sample_keys()), options.models, seed=seed)


@pytest.mark.parametrize("task", ["nli", "nlu_qa", "math", "summarization", "conversation"])
def test_a_model_is_right_as_often_as_its_skill_says_and_wrong_plausibly(task: str) -> None:
    answerer = answerer_with(student=0.7, hopeless=0.0)
    right = answered(answerer, task, "local-teacher")
    weaker = answered(answerer, task, "student")
    wrong = answered(answerer, task, "hopeless")
    share = sum(a == b for a, b in zip(right, weaker, strict=True)) / len(right)
    assert 0.5 < share < 0.9
    assert not any(a == b for a, b in zip(right, wrong, strict=True))
    assert all(text.strip() for text in wrong)
    if task in ("nli", "nlu_qa"):
        assert set(wrong) <= set(right)
    if task == "math":
        assert all(int(text) != int(other) for text, other in zip(right, wrong, strict=True))


def test_the_same_seed_model_row_and_sample_give_the_same_answer() -> None:
    skills = {"one": 0.6, "other": 0.6}
    first = answered(answerer_with(seed=1, **skills), "nli", "one")
    assert answered(answerer_with(seed=1, **skills), "nli", "one") == first
    assert answered(answerer_with(seed=2, **skills), "nli", "one") != first
    assert answered(answerer_with(seed=1, **skills), "nli", "other") != first
    assert answered(answerer_with(seed=1, **skills), "nli", "one", sample=1) != first


async def test_samples_of_a_row_differ_unless_the_request_makes_them_alike() -> None:
    options = TeacherOptions(skills={"student": 0.5})
    messages = chat(MATH, "Ann has 3 pens and buys 4 more. How many pens does she have?")
    async with serve(options) as teacher, sdk(teacher) as client:
        samples = [await ask(client, messages, model="student") for _ in range(12)]
        seeded = [await ask(client, messages, model="student", seed=seed) for seed in range(12)]
        alike = [await ask(client, messages, model="student", temperature=0) for _ in range(4)]
    assert len(set(samples)) > 1
    assert seeded == samples
    assert alike == [samples[0]] * 4


SYSTEMS = (MATH, "Summarize in at most 9 words.", NLI, "Reply with a letter.", "")
PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ("\nPremise: ", "\nHypothesis: ", "\n(A) ", "\nB. ", "Article: ", "\n\n", ". ", "²", "٣")
    ),
)


@given(
    system=st.sampled_from(SYSTEMS),
    pieces=st.lists(PIECES, max_size=9),
    form=st.sampled_from(list(Form)),
)
def test_any_prompt_gets_an_answer_right_and_wrong(
    system: str, pieces: list[str], form: Form
) -> None:
    prompt = Prompt(system, ("".join(pieces),), form=form)
    answerer = answerer_with(hopeless=0.0)
    right = answerer.answer(prompt, "local-teacher", 0)
    wrong = answerer.answer(prompt, "hopeless", 0)
    assert isinstance(right.render(), str)
    assert isinstance(wrong.render(), str)
    assert wrong.text != right.text


async def test_a_key_is_used_whatever_the_model_is_called() -> None:
    row = rows(SAMPLES / "nli" / "train.jsonl")[0]
    messages, reference = question(row)
    options = TeacherOptions(skills={"vendor/model:8b": 1.0})
    async with serve(options) as teacher, sdk(teacher) as client:
        assert await ask(client, messages, model="vendor/model:8b") == reference
        assert await ask(client, user("hello"), model="vendor/model:8b") == CANNED
