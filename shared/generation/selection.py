"""Selects the samples of a row that become examples. No request is sent for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Row, comparable
from shared.generation.ask_turn import NoAnswer
from shared.generation.record import MAX_DETAIL_CHARACTERS
from shared.generation.sampling import SelectionRule, Vote, agreeing_samples, select_sample
from shared.spec.models import RunSpec
from shared.tasks import TASKS, Answer

Samples = Sequence[Answer | NoAnswer]


@dataclass(frozen=True, slots=True)
class Selection:
    """The answers that a row's example is built from, and the samples that they come from.

    `others` are the numbers of samples that make further examples.
    """

    turns: list[Answer]
    sample: int = 0  # the number of the selected sample
    others: list[int] = field(default_factory=list[int])
    samples: int = 0
    agreeing: int = 0
    is_rationalised: bool = False


def selection_rule(spec: RunSpec, row: Row) -> SelectionRule:
    """Return how one of the row's samples is selected."""
    task = TASKS[spec.task]
    quality = spec.quality
    reference: str | None = None
    if quality.select == "reference":
        value = task.reference_value(row)
        reference = value if isinstance(value, str) else None
    return SelectionRule(
        max_samples=quality.samples,
        min_agreement=quality.min_agreement,
        reference=reference,
        tolerance=quality.tolerance,
        same=task.same_value,
        exactness=task.exactness,
        keep=quality.keep,
    )


def values_of(samples: Samples) -> list[str | None]:
    """Return the values of samples, None for one without a usable answer."""
    return [sample.text if isinstance(sample, Answer) else None for sample in samples]


def examples_in(
    samples: Samples, rule: SelectionRule, fits: Callable[[Answer], bool]
) -> dict[int, Answer]:
    """Return the samples that become examples, by number, the first asked for first.

    They have exactly the selected answer, reason differently, and fit the student.
    """
    vote = select_sample(rule, values_of(samples))
    return {} if vote is None else _examples_of(vote, samples, rule, fits)


def _examples_of(
    vote: Vote, samples: Samples, rule: SelectionRule, fits: Callable[[Answer], bool]
) -> dict[int, Answer]:
    """Return the examples of a decided vote."""
    examples: dict[int, Answer] = {}
    reasonings: set[str] = set()
    selected = _answer(samples, vote.sample)
    for number, sample in enumerate(samples):
        if isinstance(sample, NoAnswer) or sample.text != selected.text:
            continue
        reasoning = comparable(sample.reasoning or "")
        if reasoning not in reasonings and len(examples) < rule.keep and fits(sample):
            reasonings.add(reasoning)
            examples[number] = sample
    return examples


def select(samples: Samples, rule: SelectionRule, fits: Callable[[Answer], bool]) -> Selection:
    """Return what is selected of a row's samples. Raises NoAnswer.

    If no sample with the selected answer fits the student, one that doesn't is selected.
    """
    vote = select_sample(rule, values_of(samples))
    if vote is None:
        raise nothing_selected(samples, rule)
    number, *others = _examples_of(vote, samples, rule, fits) or [vote.sample]
    answer = _answer(samples, number)
    return Selection([answer], number, others, len(samples), vote.agreeing)


def _answer(samples: Samples, number: int) -> Answer:
    answer = samples[number]
    assert isinstance(answer, Answer), "only a usable answer is selected"
    return answer


def nothing_selected(samples: Samples, rule: SelectionRule) -> NoAnswer:
    """Return why no sample was selected."""
    values = [sample.text for sample in samples if isinstance(sample, Answer)]
    if not values:
        failures = [sample for sample in samples if isinstance(sample, NoAnswer)]
        return min(failures, key=lambda failure: failure.reason)
    listed = ", ".join(dict.fromkeys(values))
    count = len(samples)
    if rule.reference is not None:
        detail = f"none of {count} answers agrees with the reference {rule.reference}: {listed}"
        return NoAnswer(RejectionReason.DISAGREES, detail[:MAX_DETAIL_CHARACTERS])
    agreeing = agreeing_samples(rule, values_of(samples))
    detail = (
        f"{agreeing} of {count} answers agree, but {rule.required} of {rule.max_samples} must: "
        f"{listed}"
    )
    unusable = count - len(values)
    if unusable:
        detail += f"; {unusable} could not be used"
    return NoAnswer(RejectionReason.NO_MAJORITY, detail[:MAX_DETAIL_CHARACTERS])
