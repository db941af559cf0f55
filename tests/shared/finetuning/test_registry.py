"""The registered backends: what their descriptors name exists."""

from __future__ import annotations

from importlib import import_module

import pytest

from shared.core.errors import InvalidInput
from shared.core.settings import SETTINGS, Settings, load
from shared.finetuning.registry import get_backend
from shared.spec.models import StudentSpec
from shared.students.backends import DESCRIPTORS, BackendDescriptor

every_backend = pytest.mark.parametrize(
    "descriptor", DESCRIPTORS, ids=[descriptor.name for descriptor in DESCRIPTORS]
)


@every_backend
def test_the_module_of_a_backend_opens_it(descriptor: BackendDescriptor) -> None:
    assert callable(import_module(descriptor.module).open_backend)


@every_backend
def test_a_backend_names_settings_that_exist(descriptor: BackendDescriptor) -> None:
    assert descriptor.student_settings <= set(StudentSpec.model_fields)
    assert set(descriptor.app_settings) <= set(SETTINGS)
    assert {name.lower() for name in descriptor.app_settings} <= set(Settings.model_fields)


@pytest.mark.parametrize("name", [None, "", "abacus"])
def test_an_unknown_backend_is_refused_with_the_names_of_all(name: str | None) -> None:
    environ = {
        "DISTILLATION_STORAGE": "UseDevelopmentStorage=true",
        "TEACHER_BASE_URL": "http://t/v1",
        "TEACHER_MODEL": "m",
        "AZURE_OPENAI_BASE_URL": "http://r/openai/v1",
    }
    with pytest.raises(InvalidInput, match="use one of azureml, azure_openai, azureml_command"):
        get_backend(name, load(environ))
