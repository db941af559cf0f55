"""A fine-tuning backend as somebody would add one: this module, and DESCRIPTOR in the registry."""

from __future__ import annotations

from collections.abc import Sequence

from shared.core.errors import NotFound
from shared.core.process import current
from shared.core.settings import Settings
from shared.finetuning.base import (
    FineTuneRequest,
    FineTuningBackend,
    JobRecord,
    JobState,
    JobStatus,
)
from shared.spec.models import StudentSpec
from shared.students.backends import BackendDescriptor, Hyperparameter

DESCRIPTOR = BackendDescriptor(
    name="abacus",
    service="Abacus",
    description="beads on wires",
    module="tests.support.abacus",
    app_settings=("STUDENT_MODEL",),
    student_settings=frozenset({"suffix"}),
    hyperparameters=(Hyperparameter("beads", int, 1, 10),),
    takes_other_hyperparameters=False,
    min_rows=50,
)


class Jobs:
    """The service's jobs by name; a process has one service."""

    def __init__(self) -> None:
        self.states: dict[str, JobState] = {}
        self.requests: list[FineTuneRequest] = []


class AbacusBackend:
    """Jobs that run until they are cancelled."""

    @property
    def _jobs(self) -> Jobs:
        return current().part(Jobs)

    def preflight(self, student: StudentSpec) -> list[str]:
        return [] if student.model != "broken" else ["a wire is broken: replace it"]

    def warnings(self, student: StudentSpec) -> list[str]:
        return ["beads may roll"]

    def submit(self, request: FineTuneRequest) -> JobState:
        running = JobState(job=request.job_name, status=JobStatus.RUNNING, service_status="moving")
        self._jobs.requests.append(request)
        return self._jobs.states.setdefault(request.job_name, running)

    def poll(self, job_name: str) -> JobState:
        if job_name not in self._jobs.states:
            raise NotFound(f"no job {job_name}")
        return self._jobs.states[job_name]

    def cancel(self, job_name: str) -> JobState:
        cancelled = {"status": JobStatus.CANCELLED, "service_status": "still"}
        self._jobs.states[job_name] = self.poll(job_name).model_copy(update=cancelled)
        return self._jobs.states[job_name]

    def conclude(self, request: FineTuneRequest, state: JobState) -> JobRecord:
        return JobRecord(events=["the beads were moved"])

    def delete_files(self, job_names: Sequence[str]) -> None:
        raise AssertionError("nothing is uploaded to an abacus")


def open_backend(settings: Settings) -> FineTuningBackend:
    return AbacusBackend()
