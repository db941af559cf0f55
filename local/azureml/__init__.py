"""An AzureML workspace on one machine, for the unmodified SDK: fine-tuning jobs, registries, models. It trains nothing."""

from local.azureml.environment import app_settings
from local.azureml.options import EmulatorOptions
from local.azureml.server import RunningEmulator, serve

__all__ = ["EmulatorOptions", "RunningEmulator", "app_settings", "serve"]
