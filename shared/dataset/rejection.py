"""Why a row is rejected, and what the user can do about it.

Journals and `rejected.jsonl` hold reasons, and reports count by them. Each reason is defined with
its suggested fix; one without fails at import.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import TypeAdapter

from shared.core.json_values import JsonObject
from shared.core.paths import Split

MAX_REPLY_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class SuggestedFix:
    """What to do about a rejected row.

    `text` may name `{max_tokens}` and `{samples}`: the values to raise those settings to.
    """

    text: str
    asks_again: bool = False  # whether resuming the run asks the teacher for the row again
    token_factor: int = 1  # tokens of the new answer, as a multiple of a usual one


def _resume(text: str, token_factor: int = 1) -> SuggestedFix:
    return SuggestedFix(text, asks_again=True, token_factor=token_factor)


FIX_THE_ROW = SuggestedFix("correct the row in the dataset and upload it again")
CORRECT_THE_ANSWER = SuggestedFix(
    "see the provided answer in rejected.jsonl, and correct it in the dataset, or start a new run"
    " with answers.source: teacher"
)
ASK_AGAIN = _resume("resume to retry, or choose another teacher.model")


class RejectionReason(StrEnum):
    """A reason for rejecting a row, with its suggested fix."""

    fix: SuggestedFix

    def __new__(cls, value: str, fix: SuggestedFix) -> RejectionReason:
        reason = str.__new__(cls, value)
        reason._value_ = value
        reason.fix = fix
        return reason

    @property
    def is_of_answer(self) -> bool:
        """Return whether the answer is at fault, or its absence, and not the dataset's row."""
        return self.fix.asks_again

    # The dataset is at fault: asking the teacher again would not help.
    LINE_TOO_LONG = "line_too_long", SuggestedFix("shorten the line, or split the row")
    INVALID_UTF8 = "invalid_utf8", SuggestedFix("save the file as UTF-8")
    INVALID_JSON = "invalid_json", FIX_THE_ROW
    NOT_AN_OBJECT = "not_an_object", FIX_THE_ROW
    MISSING_MESSAGES = "missing_messages", FIX_THE_ROW
    INVALID_MESSAGE = "invalid_message", FIX_THE_ROW
    UNKNOWN_ROLE = "unknown_role", FIX_THE_ROW
    INVALID_CONTENT = "invalid_content", FIX_THE_ROW
    EMPTY_CONTENT = "empty_content", FIX_THE_ROW
    WRONG_TURNS = "wrong_turns", FIX_THE_ROW
    ZERO_WEIGHT = (
        "zero_weight",
        SuggestedFix("none needed, or remove the weight to have the row used"),
    )
    NO_LABELS = (
        "no_labels",
        SuggestedFix(
            "declare the labels in `answers.labels` of the run specification, or in `labels` of"
            " the rows"
        ),
    )
    NO_CHOICES = (
        "no_choices",
        SuggestedFix("letter the choices, or declare them in `choices` of the rows"),
    )
    NO_ANSWER = (
        "no_answer",
        SuggestedFix(
            "add the answer as the last message of the rows, from the assistant, or start a new"
            " run with answers.source: teacher"
        ),
    )
    DUPLICATE = "duplicate", SuggestedFix("none needed: the first of them is used")
    OVERLAP = "overlap", SuggestedFix("none needed: the same row of the earlier split is used")
    NEAR_DUPLICATE = (
        "near_duplicate",
        SuggestedFix("none needed, or start a new run with quality.near_duplicates: count"),
    )
    NO_REFERENCE = (
        "no_reference",
        SuggestedFix(
            "add a reference answer to the row, or resume with quality.select first or majority"
        ),
    )
    INVALID_REFERENCE = (
        "invalid_reference",
        SuggestedFix("correct the reference answer: the task cannot read it"),
    )
    TOO_LONG = (
        "too_long",
        SuggestedFix(
            "shorten the row, or start a new run for a student with a longer context, with `reuse`"
            " so that no answer is paid for twice"
        ),
    )

    # The teacher could not be reached, or would not answer.
    TIMEOUT = "timeout", _resume("raise teacher.timeout_seconds and resume")
    DEADLINE = (
        "deadline",
        _resume("raise teacher.row_deadline_seconds, or the teacher's quota, and resume"),
    )
    CONNECTION = "connection", _resume("check that the teacher can be reached, and resume")
    TEACHER_ERROR = "teacher_error", _resume("check the state of the teacher, and resume")
    TEACHER_REJECTED = (
        "teacher_rejected",
        _resume("change the setting that the teacher names in rejected.jsonl, and resume"),
    )
    BAD_RESPONSE = (
        "bad_response",
        _resume(
            "check that TEACHER_BASE_URL, or each entry of TEACHER_ENDPOINTS, is a"
            " chat-completions API, and resume"
        ),
    )
    CONTENT_FILTER = (
        "content_filter",
        _resume("relax the teacher's content filter and resume, or leave these rows out"),
    )
    SHARD_FAILED = (
        "shard_failed",
        _resume("see rejected.jsonl for why the shard failed, correct that, and resume"),
    )

    # The teacher answered, and the answer cannot be used.
    TRUNCATED = (
        "truncated",
        _resume("raise teacher.max_tokens to {max_tokens} and resume", token_factor=4),
    )
    UNFINISHED = (
        "unfinished",
        _resume("see the finish reason in rejected.jsonl, correct the teacher, and resume"),
    )
    EMPTY = "empty", ASK_AGAIN
    REFUSED = (
        "refused",
        _resume("choose another teacher.model and resume, or leave these rows out"),
    )
    SECRET = (
        "secret",
        _resume(
            "remove the secret from the rows' prompts, give the app a new one, and resume: the"
            " teacher repeated it"
        ),
    )
    UNREADABLE = "unreadable", ASK_AGAIN
    INVALID_LABEL = "invalid_label", ASK_AGAIN
    INVALID_CHOICE = "invalid_choice", ASK_AGAIN
    NO_NUMBER = "no_number", ASK_AGAIN
    SEVERAL_NUMBERS = "several_numbers", ASK_AGAIN
    INVENTED_TURN = (
        "invented_turn",
        _resume("resume to ask again, or set teacher.stop to the words that begin the next turn"),
    )
    PLACEHOLDER = (
        "placeholder",
        _resume("see whether the rows hold the text to answer about, and resume to ask again"),
    )
    ECHO = "echo", ASK_AGAIN
    LOOP = (
        "loop",
        _resume("resume to ask again, with a higher teacher.frequency_penalty or temperature"),
    )
    WRONG_LANGUAGE = (
        "wrong_language",
        _resume("name the language in the rows' prompts, or resume to ask again"),
    )
    TOO_FEW_WORDS = "too_few_words", ASK_AGAIN
    TOO_MANY_WORDS = (
        "too_many_words",
        _resume("resume to retry, or start a new run with a higher prompt.max_summary_words"),
    )
    NO_MAJORITY = (
        "no_majority",
        _resume(
            "raise quality.samples to {samples}, or lower quality.min_agreement, and resume",
            token_factor=2,
        ),
    )
    DISAGREES = (
        "disagrees",
        _resume(
            "raise quality.samples to {samples} and resume, or check the reference answers; for a"
            " student that learns the reasoning, quality.rationalise helps too",
            token_factor=2,
        ),
    )


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row is not used. Rows are counted by `reason`; `detail` is for people."""

    reason: RejectionReason
    detail: str
    id: str | None = None
    reply: str | None = None  # a provided answer that can't be used


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row of `rejected.jsonl`. `line` is its line in the split's input.

    `reply` is the beginning of the teacher's last reply, or of the provided answer, if there is
    one.
    """

    split: Split
    line: int
    id: str | None
    reason: RejectionReason
    detail: str
    reply: str | None = None


_REJECTED_ROWS = TypeAdapter(list[RejectedRow])


def parse_rejected_rows(lines: list[JsonObject]) -> list[RejectedRow]:
    """Return the rows that decoded lines of the file hold."""
    return _REJECTED_ROWS.validate_python(lines)
