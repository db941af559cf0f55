"""Refusals in the shape OpenAI-compatible clients read: {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """One refusal: HTTP status, what was wrong, the field it concerns and a code for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        inner: Mapping[str, Any] | None = None,
        fault: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.fault = fault
        self._body = {"message": message, "type": kind, "param": param, "code": code}
        if inner is not None:
            self._body = {**self._body, "status": status, "innererror": dict(inner)}

    def body(self) -> dict[str, Any]:
        return {"error": self._body}


def unknown_model(model: str, served: str) -> ApiError:
    message = f"The model '{model}' does not exist here; this teacher serves '{served}'."
    return ApiError(404, message, param="model", code="model_not_found")


def bad_credential() -> ApiError:
    message = (
        "The API key is missing or wrong: send it as 'Authorization: Bearer KEY' or 'api-key: KEY'."
    )
    return ApiError(401, message, code="invalid_api_key")


def rejected() -> ApiError:
    message = "The messages contain what this teacher was told to reject."
    return ApiError(400, message, param="messages", code="invalid_value", fault="reject")


def filtered_prompt() -> ApiError:
    """The answer of Azure OpenAI when its filter stops the prompt itself."""
    clean = {"filtered": False, "severity": "safe"}
    caught = {"filtered": True, "severity": "medium"}
    categories = {"hate": clean, "self_harm": clean, "sexual": clean, "violence": caught}
    return ApiError(
        400,
        "The prompt was stopped by the content filter; change the prompt and try again.",
        kind="content_filter",
        param="prompt",
        code="content_filter",
        inner={"code": "ResponsibleAIPolicyViolation", "content_filter_result": categories},
        fault="content_filter",
    )
