"""Tokens over plain HTTP, on this machine only."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy


class LoopbackNeedsNoTls(SansIOHTTPPolicy[Any, Any]):
    """Sends tokens without TLS to loopback addresses. azure-core insists on https elsewhere.

    The SDK allows this for jobs in clouds on plain http, but not for workspaces, models and
    registries.
    """

    def on_request(self, request: PipelineRequest[Any]) -> None:
        url: str = request.http_request.url
        if _is_loopback(urlsplit(url).hostname):
            request.context["enforce_https"] = False


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
