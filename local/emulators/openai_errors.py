"""Refusals in OpenAI's format: {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from local.emulators.service import ServiceError


class ApiError(ServiceError):
    """A refusal: HTTP status, what is wrong, the field it concerns, and a code for programs.

    `kind` is the error's `type`; `inner` adds Azure's `status` and `innererror`. `fault` names the
    fault on demand that caused it, for the teacher's journal.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        inner: Mapping[str, Any] | None = None,
        fault: str = "",
    ) -> None:
        super().__init__(status, message)
        self.headers = dict(headers or {})
        self.fault = fault
        usual_kind = "server_error" if status >= 500 else "invalid_request_error"
        self._error = {"message": message, "type": kind or usual_kind, "param": param, "code": code}
        if inner is not None:
            self._error |= {"status": status, "innererror": dict(inner)}

    def body(self) -> dict[str, Any]:
        return {"error": self._error}

    def response(self) -> web.Response:
        """Return the answer; a 502 is the HTML page that gateways send."""
        if self.status == 502:
            page = f"<html><body><h1>502 Bad Gateway</h1><p>{self}</p></body></html>"
            return web.Response(
                status=502, text=page, content_type="text/html", headers=self.headers
            )
        return web.json_response(self.body(), status=self.status, headers=self.headers)


def generic(status: int, code: str, message: str) -> ApiError:
    return ApiError(status, message, code=code)


def not_found(kind: str, name: str) -> ApiError:
    message = f"The {kind} '{name}' does not exist."
    return ApiError(404, message, param="id", code=f"{kind}_not_found")
