"""The table of AzureML's statuses against the SDK's, and statuses that no table has."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.finetuning.base import JobStatus
from shared.finetuning.statuses import AZUREML_STATUSES, azure_openai_status, azureml_status


def test_the_table_holds_exactly_the_statuses_that_the_sdk_knows() -> None:
    from azure.ai.ml._restclient.arm_ml_service.models import JobStatus as ServiceStatus

    assert set(AZUREML_STATUSES) == {status.value for status in ServiceStatus}
    assert len(AZUREML_STATUSES) == 14


def test_only_completed_is_success_and_only_three_are_ends() -> None:
    ends = {name for name, status in AZUREML_STATUSES.items() if status.is_terminal}
    assert ends == {"Completed", "Failed", "Canceled"}
    assert [name for name, status in AZUREML_STATUSES.items() if status is JobStatus.COMPLETED] == [
        "Completed"
    ]


@pytest.mark.parametrize("status_of", [azureml_status, azure_openai_status])
def test_an_unknown_status_is_treated_as_still_running(
    status_of: Callable[[str | None], JobStatus],
) -> None:
    assert status_of("BrandNew") is JobStatus.RUNNING


@pytest.mark.parametrize("status_of", [azureml_status, azure_openai_status])
@pytest.mark.parametrize("status", [None, ""])
def test_a_job_without_a_status_is_treated_as_not_responding(
    status_of: Callable[[str | None], JobStatus], status: str | None
) -> None:
    assert status_of(status) is JobStatus.NOT_RESPONDING
