"""Fixtures of all fine-tuning tests."""

from tests.support.azureml_backend import shared_service, start
from tests.support.azureml_sdk import azureml_sdk, environment

__all__ = ["azureml_sdk", "environment", "shared_service", "start"]
