"""An AzureML workspace on one machine, for the unmodified SDK. It trains nothing by itself."""

from local.emulators.azureml.environment import app_settings
from local.emulators.azureml.options import EmulatorOptions
from local.emulators.azureml.server import serve

__all__ = ["EmulatorOptions", "app_settings", "serve"]
