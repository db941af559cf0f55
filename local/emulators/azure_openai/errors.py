"""Refusals in OpenAI's format: {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

from aiohttp import web


class ApiError(Exception):
    """One refusal: HTTP status, what was wrong, the member of the body that it concerns, and a code for programs."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def response(self) -> web.Response:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        error = {"message": str(self), "type": kind, "param": self.param, "code": self.code}
        return web.json_response({"error": error}, status=self.status)


def not_found(kind: str, name: str) -> ApiError:
    return ApiError(
        404, f"The {kind} '{name}' does not exist.", param="id", code=f"{kind}_not_found"
    )
