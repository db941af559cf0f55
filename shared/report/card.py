"""The dataset card (`README.md` of a run), as Markdown, made from the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from shared.core.counters import FOR_EVALUATION, NOT_REACHED, Counters, total
from shared.core.errors import ErrorData
from shared.core.paths import ASKED_SPLITS
from shared.finetuning.base import JobState, JobStatus
from shared.report.agreement import Share
from shared.report.markdown import code, code_block, link, table, text
from shared.report.model import Report
from shared.report.statistics import Description
from shared.report.suggested_fixes import ReasonLine
from shared.scan.answer_sets import answer_lines
from shared.scan.findings import Findings, conflicts_of, near_duplicates_of
from shared.spec.models import RunSpec, StudentSpec
from shared.spec.quote import QuotedItem

COUNTS: dict[str, Callable[[Counters], int]] = {
    "rows": lambda counters: counters.rows,
    "accepted": lambda counters: counters.accepted,
    "rejected": lambda counters: counters.rejected_rows,
    "not asked": lambda counters: counters.not_asked_rows,
    "examples": lambda counters: counters.examples,
}
# of a message shown as an example
MAX_EXAMPLE_CHARACTERS = 600
NOT_ASKED = {
    NOT_REACHED: "the run ended before these rows; resume to go on with them",
    FOR_EVALUATION: "rows of the test set",
}


def card(report: Report) -> str:
    """Return the dataset card as Markdown."""
    spec = report.specification
    parts = [
        f"# {text(spec.name or report.run)}{_title_note(report)}",
        _opening(report),
        _error(report.error),
        "## Rows",
        _counts(report.counts),
        _not_needed(report),
        _not_asked(report),
        _several_examples(report),
        _rationalised(report),
        _reused(report),
        _reasons(report),
        _answers(report),
        _conflicts(report),
        _near_duplicates(report),
        _agreement(report),
        *(part for split, dataset in report.datasets.items() for part in _dataset(split, dataset)),
        "## Teacher",
        _teacher(report),
        "## Student",
        _student(report),
        _training_costs(report),
        _inference_prompt(spec),
        "## Files",
        table(("file", "bytes", "lines", "SHA-256"), _file_rows(report)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _title_note(report: Report) -> str:
    return "" if report.is_complete else f" ({report.status}, not complete)"


def _opening(report: Report) -> str:
    """Return what the folder holds. The remains of a run aren't called training data."""
    run = f"run {code(report.run)}, task `{report.task}`"
    ended = f"ended as **{report.status}** on {report.finished:%Y-%m-%d %H:%M} UTC"
    if report.is_complete:
        return f"Distilled training data of {run}. The run {ended}."
    reason = "it was cancelled" if report.status == "cancelled" else "of the error below"
    return (
        f"**These are the remains of a run that did not complete, not its training data.** "
        f"The {run}, {ended}, because {reason}. Missing: {_missing(report)}. `resume` goes on from "
        "here."
    )


def _missing(report: Report) -> str:
    """Return what an unfinished run lacks."""
    missing: list[str] = []
    rows = total(report.counts.values()).not_asked.get(NOT_REACHED, 0)
    if not report.counts:
        missing.append("the scan, so no row was counted")
    if rows:
        missing.append(f"an outcome of {rows:,} {'row' if rows == 1 else 'rows'}")
    expected = [split for split in ASKED_SPLITS if split in report.inputs]
    missing += [f"`{split}.jsonl`" for split in expected if split not in report.datasets]
    for student in report.specification.students:
        job = _job_of(report, student)
        if job is None or job.status != JobStatus.COMPLETED:
            missing.append(f"the student {code(student.model)}")
    return ", ".join(missing) or "the end of the run, after its last file"


def _error(error: ErrorData | None) -> str:
    if error is None:
        return ""
    lines = [f"> {text(error['message'])} ({code(error['code'])})"]
    details = [f"> - {code(one['where'])} {text(one['problem'])}" for one in error["details"]]
    lines += [">", *details] if details else []
    return "\n".join(lines)


def _not_needed_rows(counters: Counters) -> int:
    return counters.not_needed


def _counts(counts: Mapping[str, Counters]) -> str:
    """Return the table of rows, with those that aren't needed if there are any."""
    if not counts:
        return "The rows were not counted: the run ended before its scan was complete."
    columns = COUNTS
    if total(counts.values()).not_needed:
        columns = {**COUNTS, "not needed": _not_needed_rows}
    rows: list[tuple[object, ...]] = []
    for split, counters in counts.items():
        rows.append((split, *(count(counters) for count in columns.values())))
    if len(counts) > 1:
        all_rows = total(counts.values())
        rows.append(("all", *(count(all_rows) for count in columns.values())))
    return table(("split", *columns), rows)


def _not_needed(report: Report) -> str:
    counts = total(report.counts.values())
    if not counts.not_needed:
        return ""
    target = report.specification.quality.target_rows
    text = f"Not needed: {counts.not_needed:,} rows, because `quality.target_rows` is {target:,}."
    if counts.spare:
        text += f" The journals keep answers to {counts.spare:,} of them, for a higher number."
    return text


def _not_asked(report: Report) -> str:
    not_asked = total(report.counts.values()).not_asked
    reasons = [f"{rows:,} `{reason}` ({NOT_ASKED[reason]})" for reason, rows in not_asked.items()]
    return f"Not asked: {', '.join(reasons)}." if reasons else ""


def _several_examples(report: Report) -> str:
    keep = report.specification.quality.keep
    if keep == 1:
        return ""
    return (
        f"A row makes up to {keep} examples, which have its prompts and its answer in common and "
        "reason differently."
    )


def _rationalised(report: Report) -> str:
    rationalised = total(report.counts.values()).rationalised
    if not rationalised:
        return ""
    rows = "row is" if rationalised == 1 else "rows are"
    return (
        f"{rationalised:,} accepted {rows} rationalised: all samples missed the reference, and the "
        "teacher was shown it to find the reasoning."
    )


def _reused(report: Report) -> str:
    reused = total(report.counts.values()).reused
    if not reused:
        return ""
    earlier = report.specification.reuse
    return f"{reused:,} accepted rows reuse answers of run {code(earlier)}, at no cost to this run."


def _reasons(report: Report) -> str:
    if not report.reasons:
        return "No row was rejected." if report.counts else ""
    rows = [_reason_row(line) for line in report.reasons]
    head = ("split", "reason", "rows", "suggested fix", "extra tokens (approx.)")
    return f"{table(head, rows)}\n\n`rejected.jsonl` lists each rejected row with its line."


def _answers(report: Report) -> str:
    """Return the labels or choices that the rows offered, as they were found."""
    lines = answer_lines(report.answers.items())
    if not lines:
        return ""
    rows: list[tuple[object, ...]] = [
        (split, code(values), rows, text(example)) for split, values, rows, example in lines
    ]
    return f"## Answers offered\n\n{table(('split', 'answers', 'rows', 'example'), rows)}"


def _conflicts(report: Report) -> str:
    """Return the questions that have different references."""
    parts: list[str] = []
    for split, findings in report.conflicts.items():
        parts += [f"{conflicts_of(split, findings)}:", _samples(findings)]
    return "\n\n".join(["## Conflicting references", *parts]) if parts else ""


def _near_duplicates(report: Report) -> str:
    """Return the rows that nearly repeat a row of an earlier split."""
    is_dropped = report.specification.quality.near_duplicates == "drop"
    treatment = "left out" if is_dropped else "counted only"
    parts: list[str] = []
    for split, findings in report.near_duplicates.items():
        parts.append(f"{near_duplicates_of(split, findings)} ({treatment}):")
        parts.append(_samples(findings))
    return "\n\n".join(["## Near-duplicates across splits", *parts]) if parts else ""


def _samples(findings: Findings) -> str:
    return "\n".join(f"- {text(sample)}" for sample in findings.samples)


def _agreement(report: Report) -> str:
    """Return how many answers agree with the references, by split and label."""
    rows: list[tuple[object, ...]] = []
    notes: list[str] = []
    for split, agreement in report.agreement.items():
        if agreement.rows:
            rows.append((split, "all", *_agreement_cells(agreement)))
        for label, by_label in agreement.labels.items():
            rows.append((split, code(label), *_agreement_cells(by_label)))
        if agreement.unreadable:
            notes.append(f"The references of {agreement.unreadable:,} {split} rows can't be read.")
    if not rows and not notes:
        return ""
    head = ("split", "reference", "rows compared", "agreeing", "share", "95 % interval")
    parts = ["## Agreement with references", table(head, rows) if rows else "", " ".join(notes)]
    return "\n\n".join(part for part in parts if part)


def _agreement_cells(agreement: Share) -> tuple[object, ...]:
    interval = f"{agreement.low:.1%} to {agreement.high:.1%}"
    return agreement.rows, agreement.agreeing, f"{agreement.share:.1%}", interval


def _reason_row(line: ReasonLine) -> tuple[object, ...]:
    tokens = "–" if line.tokens is None else f"{line.tokens:,}"
    return (line.split, text(line.reason), line.rows, text(line.remedy), tokens)


def _dataset(split: str, dataset: Description) -> list[str]:
    """Return the description of a student's dataset: answers, lengths and examples."""
    parts = [f"## Dataset `{split}.jsonl`"]
    if dataset.answers:
        answers: list[tuple[object, ...]] = [
            (code(answer), rows) for answer, rows in dataset.answers.items()
        ]
        if dataset.other_answers:
            answers.append(("other", dataset.other_answers))
        parts.append(table(("answer", "examples"), answers))
    lengths: list[tuple[object, ...]] = [
        (f"≤ {bucket.tokens:,}", bucket.rows) for bucket in dataset.lengths
    ]
    parts.append(table(("tokens per example (approx.)", "examples"), lengths))
    return [*parts, *map(_example, dataset.examples)]


def _example(messages: Sequence[Mapping[str, str]]) -> str:
    shown = [
        f"**{text(message['role'])}**: {text(_shortened(message['content']))}"
        for message in messages
    ]
    return "> " + "\n>\n> ".join(shown)


def _shortened(content: str) -> str:
    line = " ".join(content.split())
    return line if len(line) <= MAX_EXAMPLE_CHARACTERS else f"{line[: MAX_EXAMPLE_CHARACTERS - 1]}…"


def _teacher(report: Report) -> str:
    spec = report.specification
    if spec.answers.are_provided:
        settings = _changed(spec.prompt.model_dump(exclude_defaults=True))
        return (
            "None: the answers were provided with the dataset, as each row's last message from the "
            f"assistant. They were read and checked as a teacher's replies ({settings})."
        )
    if not report.teachers:
        version = f"prompt version {report.prompt_version}"
        return f"{code(spec.teacher.model)}, {version}; {_settings(spec)}. {_usage(report)}"
    rows: list[tuple[object, ...]] = []
    for teacher in report.teachers:
        requested = code(teacher.requested) if teacher.requested else "–"
        parameters = _changed(teacher.parameters)
        cells = (code(teacher.model), requested, parameters, teacher.prompt_version, teacher.rows)
        rows.append(cells)
    head = ("model that answered", "requested as", "settings", "prompt version", "accepted rows")
    return f"{table(head, rows)}\n\n{_usage(report)}"


def _settings(spec: RunSpec) -> str:
    settings = spec.teacher.model_dump(exclude_defaults=True, exclude={"model"})
    settings |= spec.prompt.model_dump(exclude_defaults=True)
    return _changed(settings)


def _changed(settings: Mapping[str, object]) -> str:
    shown = [f"{name} {_value(value)}" for name, value in settings.items()]
    return ", ".join(shown) or "default settings"


def _value(value: object) -> str:
    """Return the value of a setting: texts, which may be long prompts, and others."""
    if isinstance(value, str):
        return code(_shortened(value)) if value else '""'
    return text(json.dumps(value, ensure_ascii=False, default=str))


def _usage(report: Report) -> str:
    used = total(report.counts.values())
    preflight = report.preflight
    parts = [
        f"{used.requests + preflight.requests:,} requests",
        f"{used.prompt_tokens + preflight.prompt_tokens:,} prompt tokens",
        f"{used.completion_tokens + preflight.completion_tokens:,} completion tokens",
    ]
    if report.cost is not None:
        parts.append(f"cost {report.cost:,.4f}")
    if used.samples:
        share = f"{used.agreeing / used.samples:.0%}"
        parts.append(f"{share} of {used.samples:,} samples agree with the chosen answer")
    return f"{', '.join(parts)}.{_unrecorded(report)}{_expected(report)}"


def _unrecorded(report: Report) -> str:
    """Return how much more the teacher may have been used."""
    unrecorded = report.unrecorded
    if not unrecorded.requests:
        if not unrecorded.tokens:
            return ""
        return (
            f" Besides, at most {unrecorded.tokens:,} tokens that the teacher didn't report, by "
            "estimate."
        )
    tokens = "unknown" if unrecorded.tokens is None else f"at most {unrecorded.tokens:,}"
    return (
        " Besides, requests may have been sent whose rows were not answered before the run stopped "
        f"or a worker was killed: {unrecorded.requests:,} at most ({tokens} tokens)."
    )


def _expected(report: Report) -> str:
    """Return what the scan expected of the teacher, to compare with what was used."""
    expected = report.estimate
    if expected is None:
        return ""
    parts = [
        f"{expected.requests:,} requests",
        f"{expected.prompt_tokens:,} prompt tokens",
        f"{expected.completion_tokens:,} completion tokens",
    ]
    if expected.cost is not None:
        parts.append(f"cost {expected.cost:,.4f}")
    return f" Expected were {', '.join(parts)}."


def _training_costs(report: Report) -> str:
    """Return what was quoted for each training, and the tokens that its service bills."""
    if report.quote is None:
        return ""
    quoted = [item for item in report.quote.items if item.item == "training"]
    jobs = [_job_of(report, student) for student in report.specification.students]
    return "\n".join(_training_cost(item, job) for item, job in zip(quoted, jobs, strict=True))


def _training_cost(item: QuotedItem, job: JobState | None) -> str:
    line = f"Training {code(item.model)} was quoted at {item.amount:,.0f} tokens{_cost_of(item)}"
    if job is None or job.trained_tokens is None:
        return f"{line}; its service has reported no number."
    billed = item.model_copy(update={"amount": job.trained_tokens})
    return f"{line}; its service bills {billed.amount:,.0f}{_cost_of(billed)}."


def _cost_of(item: QuotedItem) -> str:
    return "" if item.cost is None else f" (cost {item.cost:,.4f})"


def _inference_prompt(spec: RunSpec) -> str:
    """Return the prompt to use at inference, if it isn't the rows' own."""
    prompt = spec.prompt.student_addition
    if prompt is None:
        return ""
    if spec.taught.system_role:
        use = "add exactly this text to the rows' system prompt, as its last paragraph"
        if spec.prompt.replaces_for_student:
            use = "use exactly this text as the system prompt"
    else:
        use = "put exactly this text before the first question, behind the row's system prompt"
        if spec.prompt.replaces_for_student:
            use = "put exactly this text before the first question"
    return f"### Prompt at inference\n\nAt inference, {use}:\n\n{code_block(prompt)}"


def _student(report: Report) -> str:
    students = report.specification.students
    if not students:
        return (
            "None: the run ends with its datasets (`student` is null). Resume it with a `student` "
            "to fine-tune one."
        )
    jobs = [_job(student.model, _job_of(report, student)) for student in students]
    return jobs[0] if len(jobs) == 1 else "\n".join(f"- {job}" for job in jobs)


def _job_of(report: Report, student: StudentSpec) -> JobState | None:
    """Return a student's last job, as it was last shown."""
    if report.finetune is not None and len(report.specification.students) == 1:
        return report.finetune
    jobs = {trained.student: trained.job for trained in report.training}
    return jobs.get(student.model or "")


def _job(student: str | None, job: JobState | None) -> str:
    if job is None:
        return f"{code(student)}; no fine-tuning job was submitted."
    page = f" ({link('job', job.url)})" if job.url else ""
    registered = f", registered as {code(job.model)}" if job.model else ""
    measured = "".join(
        f", {text(name.replace('_', ' '))} {value:.4g}"
        for name, value in job.metrics.items()
        if name != "step"
    )
    shown = f"{code(student)}; job {code(job.job)} {job.status}{page}{registered}{measured}."
    return f"{shown} {text(job.message)}" if job.message else shown


def _file_rows(report: Report) -> list[tuple[object, ...]]:
    return [
        (code(facts.path), facts.bytes, facts.lines, f"`{facts.sha256}`")
        for facts in [*report.inputs.values(), *report.outputs.values()]
    ]
