"""Joins the entries of API Management's `ApiManagementGatewayLlmLog`, as Azure Monitor exports it.

A request has an entry with its messages, one with the reply, and one with the counts of tokens,
all with the same `CorrelationId`. Messages of more than 32 KB are split over several entries in a
form that isn't documented, so such a request can't be converted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from local.conversion.source import JsonObject, Problem, SourceRow
from shared.dataset.file_form import GATEWAY, parsed_json, row_format

MESSAGES = {"requestmessages": "request", "responsemessages": "reply"}


@dataclass(slots=True)
class _Entries:
    """The entries of one request."""

    number: int  # of the first
    values: dict[str, list[object]] = field(default_factory=dict[str, list[object]])

    def add(self, entry: JsonObject) -> None:
        for name in MESSAGES:
            value = entry.get(name)
            if value not in (None, "", [], "[]"):
                self.values.setdefault(name, []).append(value)

    def joined(self, identity: str) -> JsonObject | Problem:
        row: JsonObject = {"correlationid": identity}
        for name, meaning in MESSAGES.items():
            values = self.values.get(name, [])
            if not values:
                return Problem(f"its {meaning} isn't in the log")
            if len(values) > 1:
                return Problem(f"its {meaning} is split over {len(values)} entries")
            messages = parsed_json(values[0]) if isinstance(values[0], str) else values[0]
            if not isinstance(messages, list):
                return Problem(f"its {meaning} isn't a list of messages")
            row[name] = cast(list[object], messages)
        return row


def joined_entries(rows: list[SourceRow]) -> list[SourceRow]:
    """Return the rows with one for each request in place of its entries; other rows as they are."""
    joined: list[SourceRow | str] = []
    by_request: dict[str, _Entries] = {}
    for row in rows:
        if isinstance(row.content, Problem) or row_format(row.content) is not GATEWAY:
            joined.append(row)
            continue
        entry = {name.strip().lower(): value for name, value in row.content.items()}
        identity = str(entry["correlationid"])
        if identity not in by_request:
            by_request[identity] = _Entries(row.number)
            joined.append(identity)
        by_request[identity].add(entry)
    return [_source_row(by_request[row], row) if isinstance(row, str) else row for row in joined]


def _source_row(entries: _Entries, identity: str) -> SourceRow:
    return SourceRow(entries.number, entries.joined(identity))
