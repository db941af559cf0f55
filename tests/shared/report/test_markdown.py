"""Texts of users, teachers and services render in Markdown as themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shared.core.counters import Counters, LabelCounts
from shared.dataset.file_facts import FileFacts
from shared.finetuning.base import JobState, JobStatus
from shared.report.agreement import agreement_by_split
from shared.report.card import card
from shared.report.markdown import code, code_block, link, table, text
from shared.report.model import Report
from shared.report.statistics import Description
from shared.report.suggested_fixes import ReasonLine
from shared.scan.answer_sets import AnswerSet, AnswerSets
from shared.scan.findings import Findings
from shared.spec.parse import parse_spec

RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
HOSTILE = (
    "<script>alert(1)</script> | [x](javascript:alert(1)) ![i](http://e/i.png) `a` ``b|c`` *d* "
    "__e__ ~~f~~ \\| &lt; <!-- g\n# h\r\n\r\n- i\n\n```\nj\n| --- |\n> k"
)
CHARACTERS = "\\`*_{}[]()#+-.!|<>&~=:/\t\n\r 12ab"
MEANINGFUL = st.sampled_from([*CHARACTERS, "<b>", "&lt;", "](", "é"])
TEXTS = st.lists(MEANINGFUL, max_size=30).map("".join)


class Page(HTMLParser):
    """The text of an HTML page and the tags that it has."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.cells: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.cells:
            self.cells[-1] += data


def page(markdown: str) -> Page:
    return Page(RENDERER.render(markdown))


def one_line(value: str) -> str:
    return " ".join(value.split())


@given(value=TEXTS)
def test_a_text_renders_as_itself(value: str) -> None:
    shown = page(text(value))
    assert one_line(shown.text) == one_line(value)
    assert set(shown.tags) <= {"p"}


@given(value=TEXTS)
def test_code_renders_as_itself(value: str) -> None:
    shown = page(f"a {code(value)} b")
    assert one_line(shown.text) == f"a {one_line(value) or '(empty)'} b"
    assert set(shown.tags) <= {"p", "code"}


@given(value=TEXTS)
def test_a_cell_ends_where_it_should(value: str) -> None:
    shown = page(table(("a", "b", "c"), [(text(value), code(value), "end")]))
    cells = [one_line(cell) for cell in shown.cells[3:]]
    assert cells == [one_line(value), one_line(value) or "(empty)", "end"]


@given(value=TEXTS.filter(str.strip))
def test_a_block_of_code_ends_where_it_should(value: str) -> None:
    shown = page(f"{code_block(value)}\n\nend")
    assert set(shown.tags) == {"pre", "code", "p"}
    assert one_line(shown.text) == one_line(f"{value} end")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "/etc", "file:///"])
def test_only_pages_of_the_web_are_linked(address: str) -> None:
    assert page(link("job", address)).addresses == []
    assert page(link("job", "https://h/a b)*<x>")).addresses == ["https://h/a%20b%29%2A%3Cx%3E"]


def test_characters_that_reorder_or_hide_text_are_shown_as_numbers() -> None:
    assert text("a\u202eb\u0000c") == code("a\u202eb\u0000c").strip("`") == "aU+202EbU+0000c"
    assert text("مرحبا שלום") == "مرحبا שלום"


def test_no_text_in_a_card_is_taken_as_markdown() -> None:
    """Wherever the card has a text that isn't the app's own."""
    shown = page(card(hostile_report(HOSTILE)))
    plain = page(card(hostile_report("plain")))
    assert shown.tags.count("script") == shown.tags.count("img") == shown.tags.count("a") == 0
    assert [tag for tag in shown.tags if tag != "code"] == [
        tag for tag in plain.tags if tag != "code"
    ]
    assert one_line(shown.text).count(one_line(HOSTILE)) > 15


def hostile_report(value: str) -> Report:
    counters = Counters(rows=3, done=3, accepted=2, rejected={"empty": 1})
    counters.labels = {value: LabelCounts(rows=2, matching=1)}
    counters.with_reference, counters.matching = 2, 1
    spec: dict[str, Any] = {
        "task": "nli",
        "train": "datasets/nli/x/train.jsonl",
        "teacher": {"stop": [value]},
        "prompt": {"teacher_system": value, "student_system": value},
    }
    specification = parse_spec(spec)
    # as a report of an app that took any name
    [student] = specification.students
    specification = specification.model_copy(
        update={
            "teacher": specification.teacher.model_copy(update={"model": value}),
            "student": student.model_copy(update={"model": value}),
        }
    )
    facts = FileFacts(path=value, bytes=1, lines=1, sha256="ab")
    messages = [{"role": value, "content": value}]
    job = JobState(
        job=value,
        status=JobStatus.FAILED,
        service_status=value,
        url=value,
        model=value,
        message=value,
        metrics={value: 1.0},
    )
    problem: Any = {"where": value, "problem": value}
    return Report(
        run=value,
        status="failed",
        task="nli",
        finished=datetime(2026, 3, 4, tzinfo=UTC),
        inputs={"train": facts},
        outputs={"train": facts},
        counts={"train": counters},
        reasons=[ReasonLine(split="train", reason=value, rows=1, remedy=value)],
        answers={"train": AnswerSets(sets=[AnswerSet(values=value, source=value, rows=1, line=1)])},
        conflicts={"train": Findings(rows=1, samples=[value])},
        near_duplicates={"train": Findings(rows=1, samples=[value])},
        agreement=agreement_by_split({"train": counters}),
        datasets={"train": Description(answers={value: 1}, examples=[messages])},
        specification=specification,
        finetune=job,
        error={"code": value, "message": value, "details": [problem]},
    )
