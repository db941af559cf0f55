"""One line of a shard's journal: the outcome of one input row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import TypeAdapter

from shared.dataset.rejection import MAX_REPLY_CHARACTERS, Rejection, RejectionReason
from shared.generation.stored_reply import StoredReply
from shared.tasks import Answer

MAX_DETAIL_CHARACTERS = 300
# fields that follow from `replies`, where a record has them
DERIVED = {"answers", "reasoning", "others", "reply", "finish_reason"}


@dataclass(slots=True)
class OtherReasoning:
    """Another reasoning that leads to a row's answer: an example of its own."""

    reasoning: str
    sample: int
    model: str | None = None
    finish_reason: str | None = None


@dataclass(slots=True)
class Record:
    """The outcome of one input row.

    `answers` and `reasoning` have one entry per teacher turn; the student's example is built from
    them and the input. `others` are further reasonings that lead to the same answer, if the run
    keeps several. `round` counts the run's resumptions. `key` identifies the request, and is the
    same in every run that sends the same one.

    A line of a journal has every reply, once, as it came: answers and reasoning are places in them.
    In memory, a record has answers and reasoning alone once it is written.
    """

    line: int  # 1-based, in the input
    status: Literal["accepted", "rejected"]
    id: str | None = None
    answers: list[str] = field(default_factory=list[str])
    reasoning: list[str | None] = field(default_factory=list[str | None])
    others: list[OtherReasoning] = field(default_factory=list[OtherReasoning])
    reason: RejectionReason | None = None
    detail: str | None = None
    reply: str | None = None  # of a rejected row, the beginning of the teacher's last reply
    replies: list[StoredReply] = field(default_factory=list[StoredReply])  # in order, all samples
    selected: int | None = 0  # the sample that the answers are from, if there are replies
    kept: list[int] = field(default_factory=list[int])  # samples that `others` are from
    model: str | None = None
    finish_reason: str | None = None
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    samples: int = 0  # answers from which one was selected; 0 with `quality.select` first
    agreeing: int = 0  # the samples that agree with the selected one
    rationalised: bool = False  # the teacher was shown the reference, all samples having missed it
    agrees: bool | None = None  # with the row's reference; None where nothing could be compared
    label: str | None = None  # the label or choice that the reference is
    has_unreadable_reference: bool = False
    round: int = 0
    checked: int = 0  # the round whose settings the stored replies were last checked by
    continued: bool = False  # its samples go on after those of the row's records before
    key: str | None = None
    reused: bool = False  # the answer comes from an earlier run

    @property
    def is_retryable(self) -> bool:
        """Return whether a resumed run asks the teacher for the row again.

        A provided answer is read again, because settings may have changed.
        """
        if self.status != "rejected" or self.reason is None:
            return False
        return self.requests > 0 or self.continued or self.reason.is_of_answer

    @property
    def has_failed(self) -> bool:
        """Return whether the row counts against the success ratio.

        The teacher was asked, by this run or by the one whose answer it reuses, and no answer is
        usable. Rows that were rejected before asking don't count.
        """
        has_asked = self.requests > 0 or self.reason == RejectionReason.SHARD_FAILED or self.reused
        return self.status == "rejected" and has_asked

    def supersedes(self, earlier: Record) -> bool:
        """Return whether this record takes the place of an earlier one of its line.

        That is the case for one of a later round. Of one round, a row that is asked again has a
        second one.
        """
        return self._moment > earlier._moment

    @property
    def _moment(self) -> tuple[int, int]:
        return max(self.round, self.checked), self.round

    @property
    def has_answers_in_replies(self) -> bool:
        """Return whether what was read follows from the replies of this record."""
        numbers = {reply.sample for reply in self.replies}
        sources = set(self.kept) if self.selected is None else {self.selected, *self.kept}
        return bool(numbers) and sources <= numbers

    @property
    def examples(self) -> int:
        """Return how many lines of a dataset the row makes."""
        return 1 + len(self.kept) if self.status == "accepted" else 0

    def each_example(self) -> Iterator[Record]:
        """Yield a record for each example of an accepted row, the first asked for first."""
        yield self
        for other in self.others:
            yield replace(
                self,
                reasoning=[other.reasoning],
                selected=other.sample,
                model=other.model,
                finish_reason=other.finish_reason,
            )

    @property
    def turns(self) -> list[Answer]:
        """Return the teacher's answers, one per turn."""
        reasoning = self.reasoning or [None] * len(self.answers)
        pairs = zip(self.answers, reasoning, strict=True)
        return [Answer(text, thoughts) for text, thoughts in pairs]

    def reject(self, reason: RejectionReason, detail: str) -> None:
        """Turn an accepted record into a rejected one. Its answers stay, for another student."""
        self.status = "rejected"
        self.reason = reason
        self.detail = detail
        self.samples = 0
        self.agreeing = 0
        self.rationalised = False
        self._show_reply()

    def redact(self, redact: Callable[[str], str]) -> None:
        """Replace secrets in what isn't a stored reply, and cut what the row was answered."""
        if self.detail is not None:
            self.detail = redact(self.detail)
        if self.reply is not None and not self.replies:
            self.reply = redact(self.reply)[:MAX_REPLY_CHARACTERS]

    def read_replies(self) -> None:
        """Set the fields that follow from the replies."""
        selected = [reply for reply in self.replies if reply.sample == self.selected]
        answers = [answer for reply in selected if (answer := reply.read_answer())]
        self.answers = [answer.text for answer in answers]
        self.reasoning = [answer.reasoning for answer in answers]
        if not any(self.reasoning):
            self.reasoning = []
        self.others = [self._other_reasoning(sample) for sample in self.kept]
        last = (selected or self.replies)[-1]
        self.finish_reason = last.finish_reason
        if self.status == "rejected":
            self._show_reply()

    def _other_reasoning(self, sample: int) -> OtherReasoning:
        reply = [reply for reply in self.replies if reply.sample == sample][-1]
        answer = reply.read_answer()
        reasoning = (answer.reasoning if answer else None) or ""
        return OtherReasoning(reasoning, sample, reply.model or self.model, reply.finish_reason)

    def _show_reply(self) -> None:
        words = self.replies[-1].said if self.replies else None
        self.reply = words[:MAX_REPLY_CHARACTERS] if words else None

    def forget_replies(self) -> None:
        """Drop the replies, which take far more memory than what was read from them."""
        self.replies = []

    def to_json(self) -> bytes:
        """Return the record as one line, without fields that have their default."""
        derived = DERIVED if self.has_answers_in_replies else None
        return _RECORDS.dump_json(self, exclude=derived, exclude_defaults=True) + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> Record:
        """Parse one line. Raises ValueError (pydantic's)."""
        record = _RECORDS.validate_json(line)
        if record.has_answers_in_replies:
            record.read_replies()
        return record


# A dataclass takes a tenth of a model's time to make, and every row makes one.
_RECORDS = TypeAdapter(Record)


def rejected_record(line: int, rejection: Rejection) -> Record:
    """Return the record of a row that was rejected before the teacher was asked."""
    return Record(
        line=line,
        id=rejection.id,
        status="rejected",
        reason=rejection.reason,
        detail=rejection.detail,
        reply=rejection.reply,
    )
