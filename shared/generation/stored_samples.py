"""The samples of a row as its journal has them, read by the readers, checks and settings of now.

It costs no request. A reply that was unreadable once may be an answer now, and the other way round.
Later turns of a conversation follow an answer that the teacher was shown: they count only while
that answer is read as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row
from shared.generation.ask_turn import NoAnswer, read_reply, unfinished
from shared.generation.record import Record
from shared.generation.stored_reply import StoredReply
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Answer
from shared.teacher.finish_reasons import Finish


@dataclass(slots=True)
class StoredSamples:
    """Samples of one question from which an answer may be selected together.

    A row that was asked anew in a later round has another such set.
    """

    key: str | None
    round: int
    reused: bool
    replies: list[StoredReply] = field(default_factory=list[StoredReply])

    @property
    def count(self) -> int:
        """Return the number of samples."""
        return 1 + max(reply.sample for reply in self.replies)

    def of_sample(self, number: int) -> list[StoredReply]:
        """Return the replies of one sample, in order."""
        return [reply for reply in self.replies if reply.sample == number]


def stored_samples(records: Iterable[Record]) -> list[StoredSamples]:
    """Return the sets of samples in a row's records, which are in order; the latest set first."""
    sets: list[StoredSamples] = []
    for record in records:
        if record.replies and not (record.continued and sets):
            sets.append(StoredSamples(record.key, record.round, record.reused))
        for reply in record.replies:
            sets[-1].replies.append(replace(reply, model=reply.model or record.model))
    sets.reverse()
    return sets


@dataclass(slots=True)
class Sample:
    """One sample as it is read now: an answer for each turn, or why there is none."""

    turns: list[Answer] = field(default_factory=list[Answer])
    replies: list[StoredReply] = field(default_factory=list[StoredReply])  # that they are read from
    failure: NoAnswer | None = None
    saw_reference: bool = False

    @property
    def value(self) -> Answer | NoAnswer:
        """Return the answer of a row with one turn."""
        return self.failure or self.turns[-1]


def read_samples(row: Row, spec: RunSpec, stored: StoredSamples) -> list[Sample]:
    """Return every sample, in order."""
    numbers = range(stored.count)
    return [read_sample(row, spec, stored.of_sample(number)) for number in numbers]


def read_sample(row: Row, spec: RunSpec, replies: Sequence[StoredReply]) -> Sample:
    """Return the sample that these replies make."""
    sample = Sample(saw_reference=any(reply.saw_reference for reply in replies))
    for turn in range(TASKS[spec.task].turns(row)):
        candidates = [reply for reply in replies if reply.turn == turn]
        if any(reply.turn > turn for reply in replies):
            candidates = candidates[-1:]  # which was used
            sample.failure = _history_problem(row, spec, sample.turns, candidates)
        if sample.failure is None:
            _read_turn(row, spec, sample, candidates)
        if sample.failure is not None:
            break
    return sample


def _history_problem(
    row: Row, spec: RunSpec, answers: Sequence[Answer], used: Sequence[StoredReply]
) -> NoAnswer | None:
    """Return a failure if the reply that other turns follow isn't read as it was."""
    shown = used[0].read_answer() if used else None
    answer = _read_again(row, spec, answers, used[0]) if used else None
    if shown is not None and isinstance(answer, Answer) and answer.text == shown.text:
        return None
    detail = f"the answer to turn {len(answers) + 1} is read in another way than before"
    return NoAnswer(RejectionReason.UNREADABLE, detail)


def _read_turn(row: Row, spec: RunSpec, sample: Sample, candidates: Sequence[StoredReply]) -> None:
    """Add the first answer in the replies to one turn, else why the last of them has none."""
    failure = NoAnswer(RejectionReason.UNREADABLE, "there was no reply")
    for reply in candidates:
        answer = _read_again(row, spec, sample.turns, reply)
        if isinstance(answer, Answer):
            sample.turns.append(answer)
            sample.replies.append(reply)
            return
        failure = answer
    sample.failure = failure


def _read_again(
    row: Row, spec: RunSpec, answers: Sequence[Answer], reply: StoredReply
) -> Answer | NoAnswer:
    finish = reply.completion().finish(reply.max_tokens)
    if finish is not Finish.FINISHED or reply.refusal:
        return unfinished(reply, finish, reply.max_tokens)
    answer = read_reply(row, spec, answers, reply)
    if isinstance(answer, Answer):
        return answer
    return NoAnswer(answer.reason, answer.detail)
