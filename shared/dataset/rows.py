"""Input rows: a line of the user's file becomes a row or a rejection, never an exception."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, cast

from pydantic_core import from_json

from shared.core.json_values import is_writable
from shared.dataset.answer_space import AnswerSpace
from shared.dataset.file_form import listed
from shared.dataset.rejection import Rejection, RejectionReason
from shared.dataset.unused_fields import unused_fields, weight_problem

Role = Literal["system", "user", "assistant"]
ROLES = ("system", "user", "assistant")
SYNONYMS = {"developer": "system"}  # what OpenAI's newer models call it

# Characters that some readers take for the end of a line.
LINE_ENDS = re.compile("[\x7f-\x9f\u2028\u2029]")
# All but raised and lowered digits and fractions: in NFKC, "x²" would be "x2".
PLAIN_FORMS = re.compile("[^\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209c\u2150-\u218b]+")
INVISIBLE = "\ufeff\u200b\u2060"
TEXT_PARTS = ("text", "input_text", "output_text")
CONTENT_BESIDE = ("tool_calls", "function_call", "audio")  # what a message may hold instead of text
MAX_DIGITS = 4300
MAX_SHOWN = 60  # characters of a value in a message
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Message(TypedDict):
    """One chat message, as every chat-completions API accepts it."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Row:
    """A well-formed row. `reference` is the user's own answer and is never sent to the teacher."""

    messages: tuple[Message, ...]
    id: str | None = None
    reference: str | None = None
    # What the row's fields `labels` and `choices` hold, which tasks that have such values check.
    labels: object = None
    choices: object = None
    answers: AnswerSpace | None = None  # set by `Task.check` where a task has such values
    # the row's last assistant turn, where the run takes it for the teacher's answer
    provided_answer: str | None = None
    # places of fields that the run doesn't use, see shared/dataset/unused_fields.py
    unused_fields: tuple[str, ...] = ()

    @property
    def system(self) -> str | None:
        """The row's system prompt."""
        first = self.messages[0]
        return first["content"] if first["role"] == "system" else None

    @property
    def turns(self) -> tuple[Message, ...]:
        """The messages after the system prompt."""
        has_system = self.messages[0]["role"] == "system"
        return self.messages[1:] if has_system else self.messages

    def with_provided_answer(self) -> Row | Rejection:
        """Return the row with its last assistant turn as its answer instead of a message."""
        last = self.messages[-1]
        if last["role"] != "assistant":
            detail = "the last message is the user's, and answers.source is provided"
            return Rejection(RejectionReason.NO_ANSWER, detail, self.id)
        return replace(self, messages=self.messages[:-1], provided_answer=last["content"])

    def question_hash(self, *, with_answers: bool = False) -> bytes:
        """Return 16 bytes that are equal for duplicates.

        These are rows that ask the teacher for the same, apart from case, white space and Unicode's
        compatibility forms. Assistant turns don't count, because the teacher writes them anew; nor
        do id and reference. `with_answers`: those before the last question do, where answers are
        provided.
        """
        messages = self.messages
        if messages[-1]["role"] == "assistant":
            messages = messages[:-1]
        question: list[object] = [
            (message["role"], comparable(message["content"]))
            for message in messages
            if with_answers or message["role"] != "assistant"
        ]
        question += [offered for offered in (self.labels, self.choices) if offered is not None]
        text = json.dumps(question, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def parse_row(content: bytes | None) -> Row | Rejection:
    """Parse the bytes of one line. `content` is None if the line is longer than the limit."""
    if content is None:
        return Rejection(RejectionReason.LINE_TOO_LONG, "the line is longer than 1 MiB")
    try:
        data = decoded(content)
    except UnicodeDecodeError as error:
        detail = f"byte {error.start + 1} of the line is not UTF-8"
        return Rejection(RejectionReason.INVALID_UTF8, detail)
    except json.JSONDecodeError as error:
        return Rejection(RejectionReason.INVALID_JSON, f"column {error.colno}: {error.msg}")
    except (ValueError, RecursionError) as error:
        return Rejection(RejectionReason.INVALID_JSON, str(error))
    if not isinstance(data, dict):
        detail = f"the line holds {_json_type(data)}, not an object"
        return Rejection(RejectionReason.NOT_AN_OBJECT, detail)
    repeated = _repeated_key(content)
    if repeated:
        detail = f"the key {repeated} is there twice, with different values"
        return Rejection(RejectionReason.INVALID_JSON, detail)
    return _row(cast(dict[str, Any], data))


def decoded(content: bytes) -> Any:
    """Return what `json.loads` returns, in half the time for plain JSON. Raises what it raises."""
    try:
        return from_json(content)
    except ValueError:  # `json` accepts more, such as half surrogates, and has its own messages
        return json.loads(content.decode("utf-8"), parse_int=_integer)


def _integer(digits: str) -> int | str:
    """Return a number; as text if it is longer than Python converts by default."""
    return int(digits) if len(digits) <= MAX_DIGITS else digits


def _repeated_key(content: bytes) -> str:
    """Return a key that an object of the line has twice with two values, "" if none has.

    Such lines are few, so the keys that matter are counted before the line is parsed again.
    """
    has_two = any(content.count(key) > 1 for key in (b'"messages"', b'"answer"', b'"id"'))
    if not has_two and content.count(b'"content"') <= content.count(b'"role"'):
        return ""
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(items)
        repeated.extend(key for key, value in items if values[key] != value)
        return values

    try:
        json.loads(content, object_pairs_hook=pairs, parse_int=str)
    except (ValueError, RecursionError):
        return ""
    return repeated[0] if repeated else ""


def _row(data: dict[str, Any]) -> Row | Rejection:
    row_id = _as_text(data.get("id"))
    messages = _messages(data)
    if isinstance(messages, Rejection):
        return replace(messages, id=row_id)
    refusal = weight_problem(data)
    if refusal is not None:
        return replace(refusal, id=row_id)
    answer = data.get("answer")
    reference = None if answer in ([], {}) else _as_text(answer)
    return Row(
        tuple(messages),
        row_id,
        reference if reference and reference.strip() else None,
        labels=_writable(data.get("labels")),
        choices=_writable(data.get("choices")),
        unused_fields=unused_fields(data),
    )


def _as_text(value: object) -> str | None:
    """Return a field that the teacher isn't sent as text, whatever it holds; None for null."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _writable_text(text)


def _writable(value: object) -> object:
    """Return a JSON value as a file can hold it."""
    if isinstance(value, str):
        return _writable_text(value)
    if isinstance(value, list):
        return [_writable(entry) for entry in cast(list[object], value)]
    if isinstance(value, dict):
        entries = cast(dict[str, object], value)
        return {_writable_text(name): _writable(entry) for name, entry in entries.items()}
    return value


def _writable_text(text: str) -> str:
    """Return a text as UTF-8 can hold it: half of a surrogate pair becomes a question mark."""
    return text if is_writable(text) else text.encode("utf-8", "replace").decode("utf-8")


def _messages(data: dict[str, Any]) -> list[Message] | Rejection:
    value = data.get("messages")
    if not isinstance(value, list) or not value:
        detail = "messages must be a list with at least one message"
        if "messages" not in data and data:
            detail += f"; the row has the keys {_writable_text(listed(data))}"
        return Rejection(RejectionReason.MISSING_MESSAGES, detail)
    entries = cast(list[object], value)
    messages: list[Message] = []
    places: list[str] = []
    problems: list[Rejection] = []
    for position, entry in enumerate(entries):
        if _is_placeholder(entry, is_last=position == len(entries) - 1):
            continue
        place = f"messages[{position}]"
        message = _message(entry, place)
        if isinstance(message, Rejection):
            problems.append(message)
        else:
            messages.append(message)
            places.append(place)
    if problems:  # counted by the first, described with all of them
        details = [problem.detail for problem in problems]
        return Rejection(problems[0].reason, "; ".join(details))
    return _order_problem(messages, places) or messages


def _is_placeholder(entry: object, *, is_last: bool) -> bool:
    """Return whether a message stands for none: an empty system prompt or final answer."""
    if not isinstance(entry, dict):
        return False
    message = cast(dict[str, Any], entry)
    role = _role(message)
    if role != "system" and not (role == "assistant" and is_last):
        return False
    if any(map(message.get, CONTENT_BESIDE)) or ("content" not in message and len(message) > 1):
        return False
    content = message.get("content")
    text = "" if content is None else _text(content)
    return text is not None and not _visible(text)


def _role(message: dict[str, Any]) -> object:
    role = message.get("role")
    if not isinstance(role, str):
        return role
    role = role.strip().lower()
    return SYNONYMS.get(role, role)


def _message(entry: object, where: str) -> Message | Rejection:
    if not isinstance(entry, dict):
        detail = f"{where} is {_json_type(entry)}, not an object"
        return Rejection(RejectionReason.INVALID_MESSAGE, detail)
    message = cast(dict[str, Any], entry)
    role = _role(message)
    if role not in ROLES:
        shown = json.dumps(message.get("role"))[:MAX_SHOWN]
        detail = f"{where}.role is {shown}: it must be one of {', '.join(ROLES)}"
        return Rejection(RejectionReason.UNKNOWN_ROLE, detail)
    content = _text(message.get("content"))
    if content is None:
        detail = f"{where}.content must be text or a list of text parts"
        return Rejection(RejectionReason.INVALID_CONTENT, detail)
    if not _visible(content):
        return Rejection(RejectionReason.EMPTY_CONTENT, f"{where}.content is empty")
    if not is_writable(content):
        detail = f"{where}.content holds half of a surrogate pair"
        return Rejection(RejectionReason.INVALID_CONTENT, detail)
    return {"role": role, "content": content}


def _text(content: object) -> str | None:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts: list[str] = []
    for part in cast(list[object], content):
        fields = cast(dict[str, Any], part) if isinstance(part, dict) else {"text": part}
        text = fields.get("text")
        if fields.get("type", "text") not in TEXT_PARTS or not isinstance(text, str):
            return None
        texts.append(text)
    return "\n".join(texts)


def _visible(text: str) -> str:
    """Return the text without white space and invisible characters around it."""
    return text.strip().strip(INVISIBLE).strip()


def _order_problem(messages: Sequence[Message], places: Sequence[str]) -> Rejection | None:
    """Rows are `system? (user assistant)* user assistant?`; each task then restricts that."""
    if not messages:
        return Rejection(RejectionReason.WRONG_TURNS, "there is no user message")
    first_turn = 1 if messages[0]["role"] == "system" else 0
    if len(messages) == first_turn:
        return Rejection(RejectionReason.WRONG_TURNS, "there is no user message")
    for position, message in enumerate(messages[first_turn:], first_turn):
        role = message["role"]
        expected = "assistant" if (position - first_turn) % 2 else "user"
        if role != expected:
            detail = f"{places[position]} is from {role}, {expected} is due"
            return Rejection(RejectionReason.WRONG_TURNS, detail)
    return None


def as_jsonl(records: Sequence[object]) -> bytes:
    """Return records as JSON lines in UTF-8: the same bytes for the same records."""
    lines = [_without_line_ends(ENCODER.encode(record)) + "\n" for record in records]
    return "".join(lines).encode("utf-8")


def _without_line_ends(text: str) -> str:
    if text.isascii() and "\x7f" not in text:
        return text
    return LINE_ENDS.sub(_escaped, text)


def _escaped(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"


def _json_type(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names: dict[type, str] = {str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")


def comparable(text: str) -> str:
    """Return a text without what doesn't make it another one: case, space, compatible forms."""
    if not text.isascii():
        text = PLAIN_FORMS.sub(lambda part: unicodedata.normalize("NFKC", part[0]), text)
        text = unicodedata.normalize("NFC", text)
    return " ".join(text.casefold().split())
