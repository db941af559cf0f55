"""The findings of `check` as text of at most 80 columns."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.cli.dataset_check import Checked
from shared.core.errors import ErrorData, Problem
from shared.dataset.rejection import RejectedRow, RejectionReason
from shared.runs.dry_run import DryRun, SplitFindings
from shared.scan.answer_sets import AnswerSets
from shared.spec.budget import Estimate
from shared.spec.quote import Quote, QuotedItem

COLUMNS = 80
MAX_LINES = 5  # of rows that are rejected for the same reason
MAX_EXAMPLES = 3  # of what is wrong with them
NO_PRICE = "not in the price list; "
EXAMPLES = "; for example line "
CODE = re.compile("`[^`]*`")
HARD_SPACE = "\x1f"  # no text has this one
MAX_CHARACTERS = 1000  # of one paragraph


def report(checked: Checked) -> str:
    """Return what was found, with the verdict at the end."""
    outcome = _localised(checked)
    rejected: dict[tuple[str, str], list[RejectedRow]] = defaultdict(list)
    for row in outcome["rejected_rows"]:
        rejected[row.split, row.reason.value].append(row)
    parts: list[str] = []
    for split, findings in outcome["splits"].items():
        parts.append("\n".join(_split(split, findings, rejected)))
    if any(findings["valid"] for findings in outcome["splits"].values()):
        parts.append("\n".join(_usage(outcome)))
    notes = [*outcome["warnings"], *checked.notes]
    if notes:
        parts.append("\n".join(["Mind:", *(_item(note) for note in notes)]))
    parts.append(verdict(outcome["error"]))
    return "\n\n".join(parts)


def verdict(error: ErrorData | None) -> str:
    """Return whether a run could use the dataset, and if not, everything that stands against it."""
    if error is None:
        return "Usable: a run would begin to ask its teacher."
    lines = [_wrapped(f"Not usable: {error['message']}.")]
    for problem in error["details"]:
        # the rejected rows are shown with their splits
        lines += [_item(f"{problem['where']}: {problem['problem'].partition(EXAMPLES)[0]}")]
    return "\n".join(lines)


def _localised(checked: Checked) -> DryRun:
    """Return what was found, with the names of local files in its texts."""
    outcome = checked.outcome
    error = outcome["error"]
    localised: DryRun = {
        **outcome,
        "warnings": [local_paths(warning, checked.paths) for warning in outcome["warnings"]],
    }
    if error is not None:
        localised["error"] = local_error(error, checked.paths)
    return localised


def local_error(error: ErrorData, paths: Mapping[str, Path]) -> ErrorData:
    """Return an error with the names of local files."""
    details: list[Problem] = []
    for problem in error["details"]:
        where = local_paths(problem["where"], paths)
        details.append({"where": where, "problem": local_paths(problem["problem"], paths)})
    return {**error, "details": details}


def local_paths(text: str, paths: Mapping[str, Path]) -> str:
    """Return a text of the app with the names of local files instead of those in storage."""
    for path, file in paths.items():
        text = text.replace(path, str(file))
        text = with_convertible(text, path.rpartition("/")[2], file)
    return text


def with_convertible(text: str, name: str, file: Path) -> str:
    """Return a text of the app whose command to convert a file names the file here."""
    return text.replace(f"local convert {name}", f"local convert {shlex.quote(str(file))}")


def _split(
    split: str, findings: SplitFindings, rejected: Mapping[tuple[str, str], list[RejectedRow]]
) -> Iterator[str]:
    count, valid = findings["rows"], findings["valid"]
    yield f"{split}: {_rows(count)} = {valid:,} usable + {count - valid:,} rejected"
    for reason, count in sorted(findings["rejected"].items(), key=lambda entry: -entry[1]):
        yield from _reason(reason, count, rejected[split, reason])
    if "answers" in findings:
        yield from _answers(findings["answers"])
    references = findings.get("references")
    if not valid:
        return
    if references is None:
        yield _item("references: none of the rows has a reference answer")
    elif not references.unreadable:
        yield _item(f"references: {_rows(references.rows)} with one, all readable")
    else:
        lines = ", ".join(map(str, references.lines))
        yield _item(
            f"references: {_rows(references.rows)} with one, {references.unreadable:,} of them "
            f"can't be read (lines {lines}{_more(references.unreadable, len(references.lines))})"
        )
    if "conflicts" in findings:
        yield _item(f"same question, different references: {_rows(findings['conflicts'].rows)}")
    if "near_duplicates" in findings:
        rows = _rows(findings["near_duplicates"].rows)
        yield _item(f"nearly the same as a row of an earlier split: {rows}")


def _reason(reason: str, count: int, rows: list[RejectedRow]) -> Iterator[str]:
    """Yield a reason, its lines, examples, and the suggested fix."""
    lines = ", ".join(str(row.line) for row in rows[:MAX_LINES])
    word = "line" if count == 1 else "lines"
    yield _item(f"{reason}: {_rows(count)} ({word} {lines}{_more(count, MAX_LINES)})")
    details = list(dict.fromkeys(row.detail for row in rows))
    for detail in details[:MAX_EXAMPLES]:
        yield _item(detail, 4)
    if len(details) > MAX_EXAMPLES:
        yield _item(f"and {len(details) - MAX_EXAMPLES:,} more", 4)
    yield _item(f"fix: {RejectionReason(reason).fix.text}", 4)


def _answers(answers: AnswerSets) -> Iterator[str]:
    """Yield the labels or choices that the rows offer."""
    yield _item("labels or choices that the rows offer, repeated rows included:")
    for entry in answers.sets:
        first = f"first on line {entry.line}, from the {entry.source}"
        yield _item(f"{entry.values}: {_rows(entry.rows)}, {first}", 4)
    if answers.other_rows:
        yield _item(f"others: {_rows(answers.other_rows)}", 4)


def _usage(outcome: DryRun) -> Iterator[str]:
    """Yield the estimate and the quote."""
    yield "A run is expected to take (by estimate, before anything is asked):"
    yield _item(_tokens(outcome["estimate"]))
    low, high = outcome["range"]["low"], outcome["range"]["high"]
    yield _item(
        f"between {low.tokens:,} tokens, if answers are short and all usable, and "
        f"{high.tokens:,}, if each is as long and asked as often as the settings allow"
    )
    yield from _quote(outcome["quote"])


def _tokens(estimate: Estimate) -> str:
    return (
        f"{estimate.requests:,} requests to the teacher: {estimate.prompt_tokens:,} prompt and "
        f"{estimate.completion_tokens:,} answer tokens"
    )


def _quote(quote: Quote) -> Iterator[str]:
    for item in quote.items:
        yield _item(_quoted(item, quote.currency))
    total = f"{quote.at_least:,.2f} {quote.currency}"
    if quote.items and quote.at_least:
        label = "in all" if quote.is_complete else "at least, as not everything has a price"
        yield _item(f"{label}: {total} (list prices of {quote.as_of})")
    for note in quote.notes:
        yield _item(" ".join(map(_short_model, note.split(" "))))


def _quoted(item: QuotedItem, currency: str) -> str:
    amount = f"{item.amount:,.0f} {'hours' if item.unit == 'hour' else 'tokens'}"
    quoted = f"{item.item}, {_short_model(item.model)}: {amount}"
    if item.cost is None:
        _, _, remedy = item.note.rpartition(NO_PRICE)
        return f"{quoted}, price unknown ({remedy or item.note})"
    note = f" ({item.note})" if item.note else ""
    return f"{quoted}, {item.cost:,.2f} {currency}{note}"


def _short_model(model: str) -> str:
    """Return the name in an asset id, such as azureml://registries/r/models/NAME/versions/1."""
    return model.partition("/models/")[2].partition("/")[0] or model


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _more(count: int, shown: int) -> str:
    return f" and {count - shown:,} more" if count > shown else ""


def _item(text: str, indent: int = 2) -> str:
    """Return one indented paragraph."""
    spaces = " " * indent
    return _wrapped(text, spaces, f"{spaces}  ")


def _wrapped(text: str, first: str = "", rest: str = "") -> str:
    line = " ".join(printable(text).split())
    if len(line) > MAX_CHARACTERS:
        line = f"{line[: MAX_CHARACTERS - 1]}…"
    # a command is copied: it stays on one line, on one of its own if it is long
    line = CODE.sub(lambda match: match[0].replace(" ", HARD_SPACE), line)
    filled = textwrap.fill(
        line,
        COLUMNS,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words="`" not in line,
    )
    return filled.replace(HARD_SPACE, " ")


def printable(text: str) -> str:
    """Return a text whose characters can't steer the terminal."""
    return "".join(
        character
        if character.isprintable() or character.isspace()
        else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )
