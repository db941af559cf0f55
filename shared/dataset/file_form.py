"""What a file is that isn't rows of messages, by its first bytes or by the keys of its first row.

A whole file in another form would otherwise be reported as an error on each of its lines.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from shared.dataset.lines import BOM

HEAD_BYTES = 64 * 1024
MAX_KEYS = 8  # named in a message
MAX_KEY_CHARACTERS = 40

GZIP = "gzip"
ZIP = "zip"
BZIP2 = "bzip2"
XZ = "xz"
PARQUET = "Parquet"
# Compressed and binary files, by their first bytes.
MAGIC_BYTES = {
    b"\x1f\x8b": GZIP,
    b"PK\x03\x04": ZIP,
    b"BZh": BZIP2,
    b"\xfd7zXZ\x00": XZ,
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PAR1": PARQUET,
    b"ARROW1": "Arrow",
    b"SQLite format 3": "SQLite",
    b"%PDF-": "PDF",
    b"\xd0\xcf\x11\xe0": "Microsoft Office",
    b"<!DOCTYPE": "HTML",
    b"<html": "HTML",
    b"version https://git-lfs": "Git LFS pointer",
}
EXCEL = "Excel"
WORKBOOK = b"xl/"  # in the first names of a zip file that is a workbook
CONVERTIBLE = frozenset({GZIP, ZIP, BZIP2, XZ, PARQUET})
# White space of any encoding. A line end in UTF-16, cut at its newline byte, leaves zero bytes.
BLANK = b" \t\r\n\x0b\x0c\x00"
ENCODINGS = {"utf-16": "UTF-16", "utf-32": "UTF-32"}
DELIMITERS = (",", "\t", ";", "|")


@dataclass(frozen=True, slots=True)
class RowFormat:
    """A format of rows, by the keys that a row must have, and some of which it must have one."""

    name: str
    keys: frozenset[str]
    one_of: frozenset[str] = frozenset()

    def matches(self, keys: Collection[str]) -> bool:
        plain_keys = {key.strip().lower() for key in keys}
        has_one = not self.one_of or not self.one_of.isdisjoint(plain_keys)
        return self.keys <= plain_keys and has_one


CHAT = RowFormat("chat", frozenset({"messages"}))
ALPACA = RowFormat("Alpaca", frozenset({"instruction"}), frozenset({"output", "response", "input"}))
SHAREGPT = RowFormat("ShareGPT", frozenset(), frozenset({"conversations", "conversation"}))
NLI = RowFormat("NLI", frozenset({"premise", "hypothesis"}))
SENTENCES = RowFormat("NLI", frozenset({"sentence1", "sentence2"}))
CHOICES = RowFormat("multiple-choice", frozenset({"question"}), frozenset({"choices", "options"}))
COLUMNS = RowFormat("multiple-choice", frozenset({"question", "a", "b"}))
QUESTION = RowFormat("question and answer (GSM8K)", frozenset({"question"}))
SUMMARY = RowFormat(
    "summarization",
    frozenset(),
    frozenset({"summary", "highlights"}),
)
COMPLETION = RowFormat("prompt and completion", frozenset({"prompt"}))
INPUT_OUTPUT = RowFormat("input and output", frozenset({"input", "output"}))
BATCH = RowFormat("OpenAI batch", frozenset({"custom_id"}), frozenset({"body", "response"}))
# Logs of chat completions. OpenAI's objects have these keys, and LiteLLM's payloads have others.
COMPLETIONS = RowFormat("OpenAI chat completion", frozenset({"choices", "created", "model"}))
LITELLM = RowFormat("LiteLLM log", frozenset({"messages", "response", "call_type"}))
EXCHANGES = RowFormat("request and response", frozenset({"request", "response"}))
GATEWAY = RowFormat(
    "API Management log",
    frozenset({"correlationid"}),
    frozenset({"requestmessages", "responsemessages"}),
)
# Their replies become the last messages of rows.
LOGS = (BATCH, COMPLETIONS, LITELLM, EXCHANGES, GATEWAY)
# A row has the first format that matches.
ROW_FORMATS = (
    COMPLETIONS,
    LITELLM,
    CHAT,
    BATCH,
    EXCHANGES,
    GATEWAY,
    ALPACA,
    SHAREGPT,
    NLI,
    SENTENCES,
    CHOICES,
    COLUMNS,
    QUESTION,
    SUMMARY,
    COMPLETION,
    INPUT_OUTPUT,
)


@dataclass(frozen=True, slots=True)
class FileForm:
    """What a file is. `text` completes the sentence "the file is …"."""

    text: str
    is_convertible: bool = True
    remedy: str = "make it JSON lines in UTF-8 with `messages`"  # of a file that isn't
    # whether its lines are still its rows; otherwise no row of it can be counted
    has_lines: bool = False
    has_zero_bytes: bool = False  # as ASCII has in UTF-16 and UTF-32

    def is_blank(self, line: bytes | None) -> bool:
        """Return whether a line has no row, in the encoding of this file."""
        return self.has_zero_bytes and line is not None and not line.strip(BLANK)

    def sentence(self, path: str, task: str) -> str:
        """Return what the file is, and what to do."""
        name = path.rpartition("/")[2] or path
        if not self.is_convertible:
            return f"the file is {self.text}: {self.remedy}"
        command = f"python3 -m local convert {name} --task {task}"
        return f"the file is {self.text}: convert it to JSON lines in UTF-8 with `{command}`"


def file_form(head: bytes) -> FileForm | None:
    """Return the form of a file that begins with these bytes; None if it has rows of messages.

    None also for a file that isn't recognised.
    """
    binary = binary_form(head)
    if binary is not None:
        return binary
    encoding = text_encoding(head)
    if encoding is not None:
        return FileForm(f"{encoding} text, not UTF-8", has_lines=True, has_zero_bytes=True)
    text = head.removeprefix(BOM).decode("utf-8", "replace").lstrip()
    if "\r" in text.rstrip() and "\n" not in text:
        return FileForm("text whose lines end in a carriage return alone")
    if text[:1] == "[":
        return _array_form(text)
    if text[:1] == "{":
        return _object_form(text)
    return _table_form(text)


def binary_form(head: bytes) -> FileForm | None:
    """Return the form of a file with known first bytes, None of any other."""
    kind = binary_kind(head)
    if kind == EXCEL:
        return FileForm("an Excel workbook", is_convertible=False, remedy="save it as CSV")
    return FileForm(f"a {kind} file", is_convertible=kind in CONVERTIBLE) if kind else None


def binary_kind(head: bytes) -> str | None:
    """Return the kind of a compressed or binary file by its first bytes, None of any other."""
    for magic, kind in MAGIC_BYTES.items():
        if head.startswith(magic):
            return EXCEL if kind == ZIP and WORKBOOK in head else kind
    return None


def text_encoding(head: bytes) -> str | None:
    """Return `UTF-16` or `UTF-32` by a byte order mark or by zero bytes, otherwise None."""
    if len(head) < 4 or (0 not in head[:4] and head[:2] not in (b"\xff\xfe", b"\xfe\xff")):
        return None
    return ENCODINGS.get(json.detect_encoding(head)[:6])


def row_format(keys: Collection[str]) -> RowFormat | None:
    """Return the format of a row with these keys."""
    for candidate in ROW_FORMATS:
        if candidate.matches(keys):
            return candidate
    return None


def delimiter_of(header: str) -> str | None:
    """Return the character between the columns of a table whose header names a known format."""
    for delimiter in DELIMITERS:
        if header and row_format(columns_of(header, delimiter)) is not None:
            return delimiter
    return None


def columns_of(header: str, delimiter: str) -> list[str]:
    """Return the names in the header of a table."""
    try:
        return next(csv.reader([header], delimiter=delimiter))
    except csv.Error:
        return []


def listed(keys: Collection[str]) -> str:
    """Return the first keys of a row, for a message."""
    names = [key[:MAX_KEY_CHARACTERS] for key in list(keys)[:MAX_KEYS]]
    return ", ".join(names)


def _array_form(text: str) -> FileForm | None:
    first_line, _, rest = text.partition("\n")
    first_row = parsed_json(first_line) if rest.strip() else None
    if isinstance(first_row, list):
        is_messages = is_message_list(cast(list[object], first_row))
        name = "lists of messages, not objects with `messages`"
        return FileForm(name, has_lines=True) if is_messages else None
    if first_row is not None:
        return None  # a line for each row, which is not an object
    row = _first_object(text[1:])
    keys = f" of rows with the keys {listed(row)}" if row else ""
    return FileForm(f"one JSON array{keys}, not one JSON object a line")


def _object_form(text: str) -> FileForm | None:
    first_line, _, rest = text.partition("\n")
    row = parsed_json(first_line)
    if row is None:
        is_pretty_printed = first_line.strip() == "{" and rest.lstrip()[:1] == '"'
        if not is_pretty_printed:
            return None
        return FileForm("one JSON document over several lines, not one JSON object a line")
    if not isinstance(row, dict):
        return None
    content = cast(Mapping[str, Any], row)
    keys = list(content)
    row_form = row_format(keys)
    if row_form is CHAT and isinstance(content.get("messages"), str):
        return FileForm("rows whose `messages` are a text, not a list", has_lines=True)
    if row_form is CHAT or not keys:
        return None
    if row_form is None and not rest.strip() and any(map(_is_object_list, content.values())):
        return FileForm(f"one JSON document with the keys {listed(keys)}")
    if row_form is None:
        text = f"rows with the keys {listed(keys)} instead of `messages`"
        return FileForm(text, is_convertible=False, has_lines=True)
    text = f"rows in {row_form.name} format with the keys {listed(keys)} instead of `messages`"
    return FileForm(text, has_lines=True)


def _table_form(text: str) -> FileForm | None:
    header = text.partition("\n")[0].strip()
    delimiter = delimiter_of(header)
    if delimiter is not None:
        columns = columns_of(header, delimiter)
        return FileForm(f"a CSV table with the columns {listed(columns)}")
    for delimiter in DELIMITERS:
        columns = columns_of(header, delimiter)
        if len(columns) > 1:
            name = f"text, perhaps a table with the columns {listed(columns)}"
            return FileForm(name, is_convertible=False, has_lines=True)
    return None


def is_message_list(entries: Collection[object]) -> bool:
    """Return whether a list holds chat messages."""
    objects = [cast(Mapping[str, Any], entry) for entry in entries if isinstance(entry, dict)]
    return bool(objects) and len(objects) == len(entries) and all("role" in one for one in objects)


def _is_object_list(value: object) -> bool:
    return isinstance(value, list) and any(
        isinstance(entry, dict) for entry in cast(list[object], value)
    )


def parsed_json(text: str) -> object:
    """Return the JSON value of a text, None if it has none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _first_object(text: str) -> Mapping[str, Any] | None:
    try:
        value, _ = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return None
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else None
