"""The app settings that make the unmodified SDK find the emulator."""

from __future__ import annotations

LOCAL_KEY = "local-azure-openai"  # the emulator of the local cloud takes any key


def app_settings(base_url: str, api_key: str = LOCAL_KEY) -> dict[str, str]:
    """App settings for an emulator at `base_url`, which ends in /openai/v1."""
    return {"AZURE_OPENAI_BASE_URL": base_url.rstrip("/"), "AZURE_OPENAI_API_KEY": api_key}
