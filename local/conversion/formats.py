"""Turns rows of well-known formats into rows of messages, or says why one can't be.

Nothing is guessed: labels that are class numbers need their names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from local.conversion.completion_logs import CompletionLog
from local.conversion.replies import Unconvertible
from local.conversion.source import JsonObject, Problem
from shared.dataset.file_form import (
    ALPACA,
    BATCH,
    CHAT,
    CHOICES,
    COLUMNS,
    COMPLETION,
    COMPLETIONS,
    EXCHANGES,
    GATEWAY,
    INPUT_OUTPUT,
    LITELLM,
    NLI,
    QUESTION,
    SENTENCES,
    SHAREGPT,
    SUMMARY,
    RowFormat,
    listed,
    row_format,
)

FINAL_ANSWER = "####"  # before the answer of a GSM8K row
NO_LABEL = ("-1", "-")
ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "system": "system",
    "developer": "system",
}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CONTEXTS = ("context", "passage", "article", "story")  # fields with a text that a question is about
SUMMARIZED = ("article", "document", "dialogue", "dialog", "text", "conversation")
SUMMARY_PROMPT = "Summarize the following text."
NLI_PROMPT = "Does the hypothesis follow from the premise? Answer with one of the labels {labels}."


@dataclass(frozen=True, slots=True)
class Converter:
    """Converts rows. `labels` are those of NLI rows, in the order of their class numbers."""

    labels: Sequence[str] = ()
    log: CompletionLog = field(default_factory=CompletionLog)

    def convert(self, row: JsonObject) -> JsonObject | Problem:
        """Return a row of messages, with the original's `id`."""
        row_form = row_format(row)
        if row_form is None:
            return Problem(f"has the keys {listed(row)}, which no known format has")
        row = {key.strip().lower(): value for key, value in row.items()}
        converters: Mapping[RowFormat, Callable[[JsonObject], JsonObject]] = {
            CHAT: _messages,
            BATCH: self.log.batch,
            COMPLETIONS: self.log.completion,
            LITELLM: self.log.litellm,
            EXCHANGES: self.log.exchange,
            GATEWAY: self.log.gateway,
            ALPACA: _alpaca,
            SHAREGPT: _sharegpt,
            COMPLETION: _completion,
            INPUT_OUTPUT: _input_output,
            NLI: self._nli,
            SENTENCES: self._sentences,
            CHOICES: _choices,
            COLUMNS: _columns,
            QUESTION: _question,
            SUMMARY: _summary,
        }
        try:
            converted = converters[row_form](row)
        except Unconvertible as problem:
            return Problem(str(problem))
        identity = {} if row.get("id") is None else {"id": row["id"]}
        return {**identity, **converted}

    def _sentences(self, row: JsonObject) -> JsonObject:
        """Convert SNLI's and MNLI's own names."""
        names = {"premise": row["sentence1"], "hypothesis": row["sentence2"]}
        return self._nli({**names, "label": row.get("gold_label", row.get("label"))})

    def _nli(self, row: JsonObject) -> JsonObject:
        if not self.labels:
            raise Unconvertible("needs --labels: the names of its labels, in order of class number")
        quoted = ", ".join(f"'{label}'" for label in self.labels)
        question = f"Premise: {_text(row, 'premise')}\nHypothesis: {_text(row, 'hypothesis')}"
        converted = _chat(question, system=NLI_PROMPT.format(labels=quoted))
        label = str(NO_LABEL[0] if row.get("label") is None else row["label"]).strip()
        if label.isdecimal():
            if int(label) >= len(self.labels):
                raise Unconvertible(f"label {label} has no name in --labels")
            label = self.labels[int(label)]
        if label and label not in NO_LABEL:
            converted["answer"] = label
        return converted


def label_names(rows: Sequence[JsonObject]) -> list[str]:
    """Return the labels that NLI rows name, in the order of the file; none for class numbers."""
    labels = [row.get("gold_label", row.get("label")) for row in rows]
    names = [str(label).strip() for label in labels if label is not None]
    named = [name for name in dict.fromkeys(names) if name and name not in NO_LABEL]
    return [] if any(name.lstrip("-").isdecimal() for name in named) else named


def _messages(row: JsonObject) -> JsonObject:
    """Return a row of messages, which may be a text of JSON."""
    if not isinstance(row["messages"], str):
        return row
    try:
        return {**row, "messages": json.loads(row["messages"])}
    except (ValueError, RecursionError):
        raise Unconvertible("messages is a text, but not of JSON") from None


def _input_output(row: JsonObject) -> JsonObject:
    return _chat(_text(row, "input"), _first_text(row, "output"))


def _summary(row: JsonObject) -> JsonObject:
    name = next((name for name in SUMMARIZED if name in row), "text")
    reference = _first_text(row, "summary", "highlights")
    return _chat(f"{SUMMARY_PROMPT}\n\n{_text(row, name)}", reference)


def _columns(row: JsonObject) -> JsonObject:
    """Convert choices in columns of their own: `a`, `b`, …"""
    names = [letter.lower() for letter in LETTERS]
    texts = [row[name] for name in names if row.get(name) not in (None, "")]
    return _choices({**row, "choices": texts})


def _alpaca(row: JsonObject) -> JsonObject:
    question = _text(row, "instruction")
    if row.get("input"):
        question = f"{question}\n\n{_text(row, 'input')}"
    system = _text(row, "system") if row.get("system") else None
    return _chat(question, _first_text(row, "output", "response"), system=system)


def _sharegpt(row: JsonObject) -> JsonObject:
    turns = _list(row, "conversations" if "conversations" in row else "conversation")
    messages: list[JsonObject] = []
    if isinstance(row.get("system"), str) and row["system"].strip():
        messages.append({"role": "system", "content": row["system"]})
    for position, turn in enumerate(turns):
        fields = cast(JsonObject, turn) if isinstance(turn, dict) else {}
        speaker = fields.get("from", fields.get("role"))
        role = ROLES.get(speaker.lower()) if isinstance(speaker, str) else None
        content = fields.get("value", fields.get("content"))
        if role is None:
            raise Unconvertible(f"conversations[{position}] is from {speaker!r}, an unknown role")
        if not isinstance(content, str):
            raise Unconvertible(f"conversations[{position}] has no text")
        messages.append({"role": role, "content": content})
    return {"messages": messages}


def _completion(row: JsonObject) -> JsonObject:
    prompt = row["prompt"]
    completion = row.get("completion", row.get("response", row.get("chosen")))
    if isinstance(prompt, list) and isinstance(completion, list):
        return {"messages": [*cast(list[Any], prompt), *cast(list[Any], completion)]}
    answer = _first_text(row, "completion", "response", "chosen").strip()
    return _chat(_with_context(row, _text(row, "prompt")), answer)


def _question(row: JsonObject) -> JsonObject:
    answer = row.get("answer", row.get("final_answer"))
    if isinstance(answer, bool):
        return _choices({**row, "choices": ["yes", "no"], "answer": 0 if answer else 1})
    converted = _chat(_with_context(row, _text(row, "question")))
    text = _first_text({"answer": answer}, "answer").rpartition(FINAL_ANSWER)[2].strip()
    return {**converted, "answer": text} if text else converted


def _choices(row: JsonObject) -> JsonObject:
    """Convert MMLU's form (a list and a number) or ARC's (`{"text", "label"}` and a letter)."""
    choices = row.get("choices", row.get("options"))
    names: list[str] = []
    if isinstance(choices, dict) and "text" not in choices:
        names = list(cast(JsonObject, choices))
        choices = list(cast(JsonObject, choices).values())
    elif isinstance(choices, dict):
        names = [str(name) for name in _list(cast(JsonObject, choices), "label")]
        choices = _list(cast(JsonObject, choices), "text")
    if not isinstance(choices, list) or not 2 <= len(cast(list[Any], choices)) <= len(LETTERS):
        raise Unconvertible("choices isn't a list of 2 to 26 texts")
    texts = [str(text) for text in cast(list[object], choices)]
    lines = [f"({letter}) {text}" for letter, text in zip(LETTERS, texts, strict=False)]
    converted = _chat("\n".join([_with_context(row, _text(row, "question")), *lines]))
    answer = row.get("answer", row.get("answerkey"))
    if answer is not None and str(answer).strip() not in ("", *NO_LABEL):
        converted["answer"] = _letter(str(answer).strip(), names, texts)
    return converted


def _letter(answer: str, names: Sequence[str], texts: Sequence[str]) -> str:
    """Return the letter of an answer: a name of ARC's, a letter, a number from 0, or a text."""
    for spellings in (names, LETTERS[: len(texts)], range(len(texts)), texts):
        for letter, name in zip(LETTERS, spellings, strict=False):
            if str(name) == answer:
                return letter
    raise Unconvertible(f"answer {answer!r} is none of its choices")


def _with_context(row: JsonObject, question: str) -> str:
    """Return a question behind the text that it is about, if the row has one."""
    parts = [_text(row, name) for name in CONTEXTS if row.get(name)]
    return "\n\n".join([*parts, question])


def _chat(question: str, answer: str | None = None, *, system: str | None = None) -> JsonObject:
    messages: list[JsonObject] = []
    if system:
        messages.append({"role": "system", "content": system})
    messages.append({"role": "user", "content": question})
    if answer:
        messages.append({"role": "assistant", "content": answer})
    return {"messages": messages}


def _text(row: JsonObject, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Unconvertible(f"{name} isn't a text")
    return value


def _first_text(row: JsonObject, *names: str) -> str:
    """Return the first of these fields as text; empty if there is none."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str | int | float):
            return str(value)
    return ""


def _list(row: JsonObject, name: str) -> list[object]:
    value = row.get(name)
    if not isinstance(value, list):
        raise Unconvertible(f"{name} isn't a list")
    return cast(list[object], value)
