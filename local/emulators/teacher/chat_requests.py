"""Parses the body of POST /chat/completions as strictly as OpenAI, naming the field at fault."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from local.emulators.openai_errors import ApiError

UNSUPPORTED = (
    "stream",
    "tools",
    "functions",
    "function_call",
    "tool_choice",
    "logprobs",
    "audio",
    "modalities",
)
FILLED_SCHEMAS = ({"reasoning", "answer"}, {"answer"}, {"steps"})
_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)
_CODES = {
    "missing": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
    "literal_error": "invalid_value",
    "greater_than_equal": "number_below_min_value",
    "less_than_equal": "number_above_max_value",
}


class TextPart(BaseModel):
    model_config = _STRICT
    type: Literal["text"]
    text: str


class Message(BaseModel):
    model_config = _STRICT
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[TextPart], Field(min_length=1)]
    name: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class JsonSchema(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, populate_by_name=True)
    name: str
    body: dict[str, Any] = Field(alias="schema")

    @property
    def properties(self) -> set[str]:
        properties: dict[str, Any] = self.body.get("properties", {})
        return set(properties)


class ResponseFormat(BaseModel):
    model_config = _STRICT
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class ChatRequest(BaseModel):
    """A checked request. Sampling settings are checked for range but don't change the answers."""

    model_config = _STRICT
    model: str
    messages: Annotated[list[Message], Field(min_length=1)]
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    n: Literal[1] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: str | Annotated[list[str], Field(max_length=4)] | None = None
    seed: int | None = None
    response_format: ResponseFormat | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None

    @property
    def token_limit(self) -> int | None:
        """The most tokens that one answer may have, or None."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or ())


def parse(raw: bytes) -> tuple[ChatRequest, str]:
    """Return the request and its hash, whatever the order of keys. Raises ApiError 400."""
    try:
        body: object = json.loads(raw)
    except ValueError as error:
        raise ApiError(400, f"The body is not JSON: {error}.", code="invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object.", code="invalid_type")
    fields = cast(dict[str, Any], body)
    _refuse_unsupported(fields)
    try:
        request = ChatRequest.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        raise _refusal(_most_telling(error.errors())) from None
    _check_together(request)
    canonical = json.dumps(fields, sort_keys=True).encode()
    return request, hashlib.blake2b(canonical, digest_size=8).hexdigest()


def _refuse_unsupported(body: dict[str, Any]) -> None:
    for name in UNSUPPORTED:
        if body.get(name):
            message = f"'{name}' is not supported by the local teacher; leave it out."
            raise ApiError(400, message, param=name, code="unsupported_parameter")
        body.pop(name, None)


def _most_telling(errors: list[ErrorDetails]) -> ErrorDetails:
    """Return the first that is more than a wrong type: all members of a union complain of that."""
    return min(errors, key=lambda error: error["type"].endswith("_type"))


def _refusal(error: ErrorDetails) -> ApiError:
    place = _place(error["loc"])
    other_code = "invalid_type" if error["type"].endswith("_type") else "invalid_value"
    code = _CODES.get(error["type"], other_code)
    if code == "missing_required_parameter":
        message = f"Missing required parameter: '{place}'."
    elif code == "unknown_parameter":
        message = f"Unrecognized request argument: '{place}'."
    else:
        message = f"Invalid '{place}': {error['msg']}."
    return ApiError(400, message, param=place, code=code)


def _place(location: tuple[int | str, ...]) -> str:
    """Return `messages[2].role`, without pydantic's names for the members of a union."""
    place = ""
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part.isidentifier() and part not in ("str", "float", "int"):
            place += f".{part}" if place else part
    return place


def _check_together(request: ChatRequest) -> None:
    if request.max_tokens and request.max_completion_tokens:
        message = "'max_tokens' and 'max_completion_tokens' exclude each other; use the second."
        raise ApiError(400, message, param="max_tokens", code="invalid_parameter_combination")
    response_format = request.response_format
    if response_format is None:
        return
    if response_format.type == "json_schema" and response_format.json_schema is None:
        param = "response_format.json_schema"
        message = f"Missing required parameter: '{param}'."
        raise ApiError(400, message, param=param, code="missing_required_parameter")
    schema = response_format.json_schema
    if schema is not None and schema.properties not in FILLED_SCHEMAS:
        param = "response_format.json_schema.schema"
        message = "The local teacher fills schemas of answer, reasoning and answer, or steps alone."
        raise ApiError(400, message, param=param, code="unsupported_parameter")
    texts = [message.text.lower() for message in request.messages]
    if response_format.type == "json_object" and not any("json" in text for text in texts):
        message = "With 'response_format' json_object, 'messages' must contain the word 'json'."
        raise ApiError(400, message, param="messages", code="invalid_value")
