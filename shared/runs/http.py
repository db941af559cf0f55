"""Requests and answers of the HTTP API, without the types of the Functions SDK.

Every error is answered in one shape, with a status code for each kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict  # pydantic requires this one before Python 3.12

from shared.core.errors import (
    DistillationError,
    ErrorCode,
    ErrorData,
    InvalidInput,
    NotFound,
    PermanentError,
    Problem,
    SettingsError,
)
from shared.core.json_values import decode_json
from shared.core.secrets import Redact, redacted_json
from shared.runs.callers import EVERYTHING, KEY_PARAMETER, Access

# a specification is a few KB, and Durable keeps it in the run's history
MAX_BODY_BYTES = 256 * 1024
FUNCTION_KEY = KEY_PARAMETER
UNKNOWN_PARAMETER = "isn't a parameter of this route"
# Of Durable's links: these start a second orchestration for the same run, or repeat parts of one.
UNUSABLE_LINKS = ("id", "restartPostUri", "rewindPostUri")
ACTIONS = ("cancel", "pause", "resume", "concurrency")

QueryT = TypeVar("QueryT", bound=BaseModel)

STATUS_OF_CODE: dict[str, int] = {
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.DATASET_EXISTS: 409,
    ErrorCode.RUN_EXISTS: 409,
    ErrorCode.RUN_ENDED: 409,
    ErrorCode.RUN_PAST_GENERATION: 409,
    ErrorCode.RUN_ACTIVE: 409,
    ErrorCode.OTHER_TASK_HUB: 409,
    ErrorCode.RUN_DELETING: 409,
    ErrorCode.DATASET_IN_USE: 409,
    ErrorCode.RUN_DELETED: 410,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.MEDIA_TYPE: 415,
    ErrorCode.INVALID_INPUT: 422,
}
STATUS_OF_TYPE = ((NotFound, 404), (InvalidInput, 400), (SettingsError, 500))


@dataclass(frozen=True)
class ApiRequest:
    """One HTTP request. `run_id` is empty for routes without an id."""

    url: str
    query: Mapping[str, str]
    content_type: str
    body: bytes
    run_id: str
    # Durable's own management links of an instance, by name
    durable_links: Callable[[str], Mapping[str, str]]
    access: Access = EVERYTHING

    def json(self) -> Any:
        """Return the decoded body. Raises a PermanentError that becomes 400, 413 or 415."""
        return parse_body(self.content_type, self.body)

    def self_link(self, run_id: str) -> str:
        """Return the URL of a run's status."""
        base, _, _ = self.url.partition("/api/runs")
        return f"{base}/api/runs/{run_id}"

    def links(self, run_id: str, *, durable: bool = False) -> dict[str, str]:
        """Return the links of a run: its status and its actions, and Durable's if wanted.

        Durable's have a key in them, which must not be in every status that is logged or shown.
        """
        status_url = self.self_link(run_id)
        links = {"self": status_url, **{action: f"{status_url}/{action}" for action in ACTIONS}}
        if durable:
            self.access.check_change()  # their key terminates runs
            durables = self.durable_links(run_id)
            links |= {name: url for name, url in durables.items() if name not in UNUSABLE_LINKS}
        return links

    @property
    def wants_durable_links(self) -> bool:
        """Return whether the query asks for Durable's links. Raises InvalidInput for others."""
        problems = unknown_parameters(self.query, ["links"])
        links = self.query.get("links", "")
        if links not in ("", "durable"):
            problems.append({"where": "links", "problem": "must be `durable`"})
        if problems:
            raise invalid_query(problems)
        return links == "durable"

    def check_no_query(self) -> None:
        """Raise InvalidInput if the query has any parameter."""
        problems = unknown_parameters(self.query, [])
        if problems:
            raise invalid_query(problems)


class LinksQuery(TypedDict, total=False):
    """The query of a route that shows a run."""

    links: Annotated[Literal["durable"], Field(description="with Durable's own links, too")]


@dataclass(frozen=True)
class ApiAnswer:
    """A JSON answer. `body` is anything that pydantic can serialise."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def text(self) -> str:
        """Return the body as JSON text."""
        return json.dumps(to_jsonable_python(self.body), ensure_ascii=False)

    def content(self, redact: Redact) -> bytes:
        """Return the body as JSON in UTF-8, without secrets.

        Half a character that a client has sent (`"\\ud800"`) is answered as it came.
        """
        text = self.text
        if redact(text) != text:
            text = json.dumps(redacted_json(json.loads(text), redact), ensure_ascii=False)
        return text.encode("utf-8", "backslashreplace")


class ErrorBody(TypedDict):
    """The body of an answer that is an error."""

    error: ErrorData


def unknown_parameters(query: Mapping[str, str], names: Container[str]) -> list[Problem]:
    """Return a problem for each parameter that a route doesn't have.

    No route ignores one: a typing error must not start a run, or list others than were meant.
    """
    return [{"where": name, "problem": UNKNOWN_PARAMETER} for name in query if name not in names]


def truth_of(query: Mapping[str, str], name: str, problems: list[Problem], default: bool) -> bool:
    """Return a parameter that is true or false. Adds a problem for any other text."""
    text = query.get(name, str(default)).lower()
    if text not in ("true", "false"):
        problem = f"is {query[name]!r}: it must be true or false"
        problems.append({"where": name, "problem": problem})
    return text == "true"


def parsed_query(
    model: type[QueryT],
    query: Mapping[str, str],
    problems: Sequence[Problem] = (),
    pattern_problem: str | None = None,
) -> QueryT:
    """Return the model of a query. `problems` are what its caller has found.

    `pattern_problem` says in plain words what a text that doesn't match its pattern should be.

    Raises InvalidInput with every problem.
    """
    try:
        parsed = model.model_validate(dict(query))
    except ValidationError as error:
        details: list[Problem] = []
        for entry in error.errors(include_url=False):
            is_unknown = entry["type"] == "extra_forbidden"
            message = entry["msg"].removeprefix("Value error, ")
            if entry["type"] == "string_pattern_mismatch":
                message = pattern_problem or message
            problem = UNKNOWN_PARAMETER if is_unknown else message
            details.append({"where": str(entry["loc"][0]), "problem": problem})
        raise invalid_query([*details, *problems]) from None
    if problems:
        raise invalid_query(problems)
    return parsed


def invalid_query(problems: Sequence[Problem]) -> InvalidInput:
    """Return the error of a query with these problems."""
    return InvalidInput("the query is invalid", code=ErrorCode.INVALID_QUERY, details=problems)


def query_of(url: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the query of a URL, without the function key.

    `parameters` is the query as the Functions host gives it, which leaves out parameters without a
    value. These count too: `?dry_run` must not start a run.
    """
    names = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    query = {**dict.fromkeys(names, ""), **parameters}
    return {name: value for name, value in query.items() if name != FUNCTION_KEY}


def error_answer(error: DistillationError) -> ApiAnswer:
    """Return the answer to an error."""
    return ApiAnswer(error_body(error), status_of(error))


def status_of(error: DistillationError) -> int:
    """Return the HTTP status of an error: 503 if retrying may help, 500 if the app is to blame."""
    if not isinstance(error, PermanentError):
        return 503
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    for kind, status in STATUS_OF_TYPE:
        if isinstance(error, kind):
            return status
    return 500


def error_body(error: DistillationError) -> ErrorBody:
    """Return the JSON body of an error."""
    if isinstance(error, PermanentError):
        return {"error": error.as_data()}
    return {"error": {"code": ErrorCode.UNAVAILABLE, "message": str(error), "details": []}}


def parse_body(content_type: str, body: bytes) -> Any:
    """Return a request's decoded JSON body. Raises a PermanentError: 400, 413 or 415."""
    if len(body) > MAX_BODY_BYTES:
        message = f"the body has more than {MAX_BODY_BYTES:,} bytes: send a smaller one"
        raise PermanentError(message, code=ErrorCode.TOO_LARGE)
    if content_type.partition(";")[0].strip().lower() != "application/json":
        message = "send the body with the header Content-Type: application/json"
        raise PermanentError(message, code=ErrorCode.MEDIA_TYPE)
    try:
        return decode_json(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            "the body isn't valid JSON",
            code=ErrorCode.INVALID_JSON,
            details=[{"where": "body", "problem": str(error)}],
        ) from None
