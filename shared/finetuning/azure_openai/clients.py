"""The SDK's client: one for each resource and process. It holds connections, and is thread-safe."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pydantic import SecretStr

from shared.core.errors import SettingsError
from shared.core.process import current
from shared.core.settings import DEFAULT_TEACHER_SCOPE

if TYPE_CHECKING:
    from openai import OpenAI

CONNECT_SECONDS = 10
READ_SECONDS = 60
WRONG_PROXY = (
    "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names a proxy that the client for Azure OpenAI can't "
    "use: write it as http://host:port, without SOCKS, or remove it"
)


class OpenAIClients:
    """The clients of this process. Get one with `openai_client`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[str, SecretStr | None], OpenAI] = {}
        self._opened = ExitStack()

    def get(self, base_url: str, key: SecretStr | None) -> OpenAI:
        """Return the client of a resource."""
        with self._lock:
            if (base_url, key) not in self._made:
                self._made[base_url, key] = _make(base_url, key, self._opened)
            return self._made[base_url, key]

    def close(self) -> None:
        with self._lock:
            self._opened.close()
            self._made.clear()


def openai_client(base_url: str, key: SecretStr | None) -> OpenAI:
    """Return this process's client of a resource. Raises SettingsError for an unusable proxy.

    Without a key it sends tokens of the app's identity, which azure-identity caches.
    """
    return current().part(OpenAIClients).get(base_url, key)


def _make(base_url: str, key: SecretStr | None, opened: ExitStack) -> OpenAI:
    from openai import OpenAI, Timeout

    if key is None:
        from azure.identity import DefaultAzureCredential, get_bearer_token_provider

        identity = opened.enter_context(DefaultAzureCredential())
        credential = get_bearer_token_provider(identity, DEFAULT_TEACHER_SCOPE)
    else:
        credential = key.get_secret_value()
    try:
        client = OpenAI(
            base_url=base_url,
            api_key=credential,
            max_retries=0,  # Durable retries the activity: one policy, in one place
            timeout=Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        )
    except Exception:  # which one depends on the SDK's HTTP client; it may quote credentials
        raise SettingsError(WRONG_PROXY) from None
    return opened.enter_context(client)
