"""A teacher and a fine-tuning service that quote the app's keys put them into no file and no
history.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from shared.core.errors import PermanentError, Problem, TransientError
from shared.core.process import Process, use
from shared.finetuning.base import JobState, JobStatus
from shared.finetuning.redacting import RedactingBackend
from shared.runs.contracts import PREFLIGHT
from tests.activities.conftest import Configure, NewRun, OpenWorkspace
from tests.support.activity_runs import AppRun, sums
from tests.support.http_teacher import Script, completion, serving

KEY = "key+of/the=teacher-0123"
SPELLINGS = (
    KEY,
    KEY.upper(),
    quote(KEY, safe=""),
    base64.b64encode(KEY.encode()).decode(),
    KEY.encode().hex().upper(),
)


async def everything(run: AppRun) -> str:
    """Every file of a run."""
    texts = [
        b"".join([chunk async for chunk in run.storage.stream(f"{run.paths.run_id}/{name}")])
        for name in await run.names()
    ]
    return b"\n".join(texts).decode()


async def test_keys_that_a_teacher_repeats_in_answers_reach_no_file(
    new_run: NewRun, app: Configure
) -> None:
    said: list[Any] = [f"Your key is {spelling}. The answer is 1." for spelling in SPELLINGS]
    said.append([{"text": f"Your key is {KEY[:11]}"}, {"text": f"{KEY[11:]}. The answer is 1."}])
    replies: list[tuple[int, Any, dict[str, str]]] = [(200, completion(text), {}) for text in said]
    teacher = Script(*(replies * 9))
    run = new_run(teacher={"concurrency": 1})
    await run.begin(sums(3))  # each is asked for three times
    async with serving(teacher.answer) as base_url:
        app(TEACHER_BASE_URL=base_url, TEACHER_API_KEY=KEY)
        generated = await run.generate()
    assert generated["rejected"] == 3
    assert (await run.progress())["train"]["rejected"] == {"secret": 3}
    await run.assemble()
    files = await everything(run)
    assert "Your key is ***" in files
    assert not any(spelling in files for spelling in SPELLINGS)


@pytest.mark.parametrize("status", [400, 401, 500])
async def test_keys_that_a_teacher_repeats_in_errors_reach_no_history(
    new_run: NewRun, open_workspace: OpenWorkspace, app: Configure, status: int
) -> None:
    open_workspace()
    error = {"error": {"message": f"No access with {KEY}", "code": f"bad-{KEY}"}}
    replies: list[tuple[int, Any, dict[str, str]]] = [(status, error, {})] * 30
    teacher = Script(*replies)
    run = new_run(teacher={"max_attempts": 1})
    async with serving(teacher.answer) as base_url:
        app(TEACHER_BASE_URL=base_url, TEACHER_API_KEY=KEY)
        await run.begin(sums(3))
        histories = [await run.call(PREFLIGHT), await run.generate()]
    assert "No access with ***" in json.dumps(histories)
    assert KEY not in json.dumps(histories)
    assert KEY not in await everything(run)


async def test_a_key_that_is_the_name_of_the_model_rejects_no_row(
    new_run: NewRun, app: Configure
) -> None:
    replies: list[tuple[int, Any, dict[str, str]]] = [
        (200, {**completion(str(number)), "model": "a-model-of-ours"}, {}) for number in (1, 2)
    ]
    teacher = Script(*replies)
    run = new_run(teacher={"concurrency": 1})
    await run.begin(sums(2))
    async with serving(teacher.answer) as base_url:
        app(TEACHER_BASE_URL=base_url, TEACHER_API_KEY="a-model-of-ours")
        assert (await run.generate())["accepted"] == 2


class Echo:
    """A fine-tuning service that quotes the key wherever it can."""

    def preflight(self, student: object) -> list[str]:
        return [f"no model with {KEY}"]

    def warnings(self, student: object) -> list[str]:
        return [f"no model with {KEY}"]

    def poll(self, job_name: str) -> JobState:
        return JobState(job="j", status=JobStatus.FAILED, service_status="x", message=KEY)

    def submit(self, request: object) -> JobState:
        raise TransientError(f"busy with {KEY}", retry_after=7)

    def cancel(self, job_name: str) -> JobState:
        details: list[Problem] = [{"where": "student", "problem": f"it is {KEY}"}]
        raise PermanentError(f"not with {KEY}", code="openai", details=details)

    def conclude(self, request: object, state: JobState) -> Any:
        raise AssertionError

    def delete_files(self, job_names: object) -> None:
        raise AssertionError


def test_keys_that_a_fine_tuning_service_repeats_go_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    before = use(Process())
    nothing: Any = None
    try:
        backend = RedactingBackend(Echo())
        assert backend.preflight(nothing) == backend.warnings(nothing) == ["no model with ***"]
        assert backend.poll("j").message == "***"
        with pytest.raises(TransientError, match=r"^busy with \*\*\*$") as busy:
            backend.submit(nothing)
        assert busy.value.retry_after == 7
        with pytest.raises(PermanentError, match=r"^not with \*\*\*$") as refused:
            backend.cancel("j")
        assert refused.value.as_data()["details"] == [{"where": "student", "problem": "it is ***"}]
    finally:
        use(before)
