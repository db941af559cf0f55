"""The rows of a file in any of the forms that people have: where each stands, and what it holds.

Compressed files are opened, other encodings decoded; JSON lines, JSON arrays, tables and Parquet
files are read row by row. A row that can't be read is a `Problem` in its place.
"""

from __future__ import annotations

import ast
import bz2
import csv
import gzip
import io
import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from local.runtime.failures import UsageError
from shared.dataset.file_form import (
    BLANK,
    BZIP2,
    GZIP,
    HEAD_BYTES,
    PARQUET,
    XZ,
    ZIP,
    binary_form,
    binary_kind,
    delimiter_of,
    is_message_list,
    parsed_json,
    row_format,
    text_encoding,
)
from shared.dataset.lines import BOM

JsonObject = dict[str, Any]
MAX_LAYERS = 3  # of compression
DECOMPRESS = {GZIP: gzip.decompress, BZIP2: bz2.decompress, XZ: lzma.decompress}
HIDDEN_OR_FOLDER = re.compile(r"/\Z|(?:^|/)(?:\.|__MACOSX/)")
BETWEEN_OBJECTS = re.compile(r"[\s,]*")
MAX_CELL_CHARACTERS = 16 * 1024 * 1024
# Of a table: columns whose cells may hold JSON.
JSON_COLUMNS = ("messages", "conversations", "conversation", "choices", "options")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row can't be converted."""

    text: str


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row of the file. `number` is its line, or its place in an array or table, from 1."""

    number: int
    content: JsonObject | Problem


def source_rows(path: Path) -> list[SourceRow]:
    """Return the rows of a file. Raises UsageError if it has none that could be converted."""
    rows: list[SourceRow] = []
    for row in rows_and_pages(path):
        rows += _entries(row)
    if not rows:
        raise UsageError(f"{path} has no rows")
    return rows


def is_page(content: JsonObject) -> bool:
    """Return whether an object is a page of a list, as `GET /chat/completions` answers with."""
    return content.get("object") == "list" and isinstance(content.get("data"), list)


def page_entries(page: JsonObject) -> list[JsonObject | Problem]:
    """Return what a page holds."""
    return [_object(entry) for entry in cast(list[object], page["data"])]


def rows_and_pages(path: Path) -> list[SourceRow]:
    """Return the rows of a file; a page counts as one. Raises UsageError."""
    content = path.read_bytes()
    if binary_kind(content[:HEAD_BYTES]) == PARQUET:
        return _numbered(_parquet_rows(path))
    content = _uncompressed(content, path)
    form = binary_form(content[:HEAD_BYTES])
    if form is not None:
        raise UsageError(f"{path} is {form.text}: {form.remedy}")
    text = _decoded(content, path)
    text = text if "\n" in text else text.replace("\r", "\n")
    if text.lstrip()[:1] == "[":
        document = parsed_json(text)
        if isinstance(document, list):
            return _numbered(cast(list[object], document))
    first_line = text.lstrip().partition("\n")[0]
    if first_line[:1] == "{":
        document = parsed_json(text)
        if isinstance(document, dict):
            return _numbered(_rows_of_document(cast(JsonObject, document)))
        objects = _objects_in(text) if parsed_json(first_line) is None else []
        if objects:
            return _numbered(objects)
    delimiter = delimiter_of(first_line.strip()) if first_line[:1] not in ("{", "[") else None
    if delimiter:
        try:
            return list(_table_rows(text.lstrip(), delimiter))
        except csv.Error as error:
            raise UsageError(f"{path} can't be read as a table: {error}") from error
    return list(_lines(text))


def _entries(row: SourceRow) -> list[SourceRow]:
    """Return the rows of a page, or the row itself."""
    if isinstance(row.content, Problem) or not is_page(row.content):
        return [row]
    return [SourceRow(row.number, entry) for entry in page_entries(row.content)]


def _uncompressed(content: bytes, path: Path) -> bytes:
    try:
        for _ in range(MAX_LAYERS):
            kind = binary_kind(content[:HEAD_BYTES])
            if kind == ZIP:
                content = _sole_member(content, path)
            elif kind in DECOMPRESS:
                content = DECOMPRESS[kind](content)
            else:
                break
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} is damaged: {error}") from error
    return content


def _sole_member(content: bytes, path: Path) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if not HIDDEN_OR_FOLDER.search(name)]
        if len(names) != 1:
            raise UsageError(f"{path} holds {len(names)} files: extract the one to convert")
        return archive.read(names[0])


def _decoded(content: bytes, path: Path) -> str:
    encoding = text_encoding(content[:4])
    if encoding is not None:
        try:
            return content.decode(json.detect_encoding(content))
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is damaged {encoding}: {error}") from error
    # a byte that isn't UTF-8 becomes half of a surrogate pair, which is the problem of its row
    return content.removeprefix(BOM).decode("utf-8", "surrogateescape")


def _lines(text: str) -> Iterator[SourceRow]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.encode("utf-8", "surrogateescape").strip(BLANK):
            continue
        try:
            line.encode("utf-8")
            values = _objects_in(line) or [json.loads(line)]
        except UnicodeEncodeError:
            yield SourceRow(number, Problem("isn't UTF-8"))
        except (ValueError, RecursionError) as error:
            yield SourceRow(number, Problem(f"isn't JSON: {error}"))
        else:
            yield from (SourceRow(number, _object(value)) for value in values)


def _objects_in(text: str) -> list[object]:
    """Return the JSON objects of which a text consists, with commas or nothing between them.

    None of them if there is anything else.
    """
    values: list[object] = []
    position = 0
    while (start := BETWEEN_OBJECTS.match(text, position)) and start.end() < len(text):
        try:
            value, position = json.JSONDecoder().raw_decode(text, start.end())
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict):
            return []
        values.append(cast(object, value))
    return values


def _table_rows(text: str, delimiter: str) -> Iterator[SourceRow]:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    for number, cells in enumerate(reader, 1):
        extra: Any = cast(dict[Any, Any], cells).pop(None, None)
        missing = [name for name, cell in cells.items() if cast(str | None, cell) is None]
        if extra is not None:
            yield SourceRow(number, Problem(f"has more cells than the header: {extra}"))
        elif missing:
            yield SourceRow(number, Problem(f"has no cell for {', '.join(missing)}"))
        else:
            yield SourceRow(number, {name: _cell(name, cell) for name, cell in cells.items()})


def _cell(name: str, cell: str) -> object:
    """Return a cell, or the JSON or Python value that a column of lists holds."""
    if name not in JSON_COLUMNS:
        return cell
    value = parsed_json(cell)
    if value is None:
        try:
            value = cast(object, ast.literal_eval(cell))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return cell
    return value


def _parquet_rows(path: Path) -> list[object]:
    try:
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        command = ".venv/bin/python -m pip install pyarrow"
        raise UsageError(f"{path} is a Parquet file: to read it, run `{command}`") from None
    return cast(list[object], parquet.read_table(path).to_pylist())


def _rows_of_document(document: JsonObject) -> list[object]:
    """Return the rows in the only list of an object, such as `{"data": […]}`; else the object."""
    lists = [cast(list[object], value) for value in document.values() if isinstance(value, list)]
    is_row = row_format(document) is not None or is_page(document)
    return lists[0] if len(lists) == 1 and not is_row else [document]


def _numbered(rows: list[object]) -> list[SourceRow]:
    return [SourceRow(number, _object(row)) for number, row in enumerate(rows, 1)]


def _object(value: object) -> JsonObject | Problem:
    if isinstance(value, list) and is_message_list(cast(list[object], value)):
        return {"messages": value}
    return cast(JsonObject, value) if isinstance(value, dict) else Problem("isn't an object")
