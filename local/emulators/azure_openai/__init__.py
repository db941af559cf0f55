"""Azure OpenAI's fine-tuning API on one machine, for the unmodified SDK. It trains nothing."""

from local.emulators.azure_openai.environment import app_settings
from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.server import serve

__all__ = ["EmulatorOptions", "app_settings", "serve"]
