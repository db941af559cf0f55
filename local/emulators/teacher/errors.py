"""The teacher's refusals."""

from __future__ import annotations

from collections.abc import Iterable

from local.emulators.openai_errors import ApiError


def unknown_model(model: str, served: Iterable[str]) -> ApiError:
    message = f"The model '{model}' does not exist here; this teacher serves {', '.join(served)}."
    return ApiError(404, message, param="model", code="model_not_found")


def bad_credential() -> ApiError:
    remedy = "send it as 'Authorization: Bearer KEY' or 'api-key: KEY'"
    return ApiError(401, f"The API key is missing or wrong: {remedy}.", code="invalid_api_key")


def rejected() -> ApiError:
    message = "The messages contain the text that this teacher rejects (--reject)."
    return ApiError(400, message, param="messages", code="invalid_value", fault="reject")


def refused_max_tokens() -> ApiError:
    """Return OpenAI's answer to `max_tokens` for models that reason."""
    return ApiError(
        400,
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        param="max_tokens",
        code="unsupported_parameter",
        fault="max_tokens",
    )


def filtered_prompt() -> ApiError:
    """Return Azure OpenAI's answer if its content filter stops the prompt itself."""
    clean = {"filtered": False, "severity": "safe"}
    caught = {"filtered": True, "severity": "medium"}
    categories = {"hate": clean, "self_harm": clean, "sexual": clean, "violence": caught}
    return ApiError(
        400,
        "The content filter stopped the prompt; change the prompt and try again.",
        kind="content_filter",
        param="prompt",
        code="content_filter",
        inner={"code": "ResponsibleAIPolicyViolation", "content_filter_result": categories},
        fault="content_filter",
    )
