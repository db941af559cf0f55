"""The SDK's client, one a resource and process: it holds connections, and is safe across threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pydantic import SecretStr

from shared.core.settings import DEFAULT_TEACHER_SCOPE

if TYPE_CHECKING:
    from openai import OpenAI

CONNECT_SECONDS = 10
READ_SECONDS = 60

_clients: dict[tuple[str, SecretStr | None], OpenAI] = {}
_making = threading.Lock()


def openai_client(base_url: str, key: SecretStr | None) -> OpenAI:
    """Without a key, tokens of the app's identity are sent; the SDK asks for one with each request, azure-identity caches it."""
    with _making:
        if (base_url, key) not in _clients:
            _clients[base_url, key] = _make(base_url, key)
        return _clients[base_url, key]


def _make(base_url: str, key: SecretStr | None) -> OpenAI:
    from openai import OpenAI, Timeout

    if key is None:
        from azure.identity import DefaultAzureCredential, get_bearer_token_provider

        credential = get_bearer_token_provider(DefaultAzureCredential(), DEFAULT_TEACHER_SCOPE)
    else:
        credential = key.get_secret_value()
    return OpenAI(
        base_url=base_url,
        api_key=credential,
        max_retries=0,  # Durable retries the activity: one policy, in one place
        timeout=Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
    )
