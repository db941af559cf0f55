"""Messages between a Functions host and its worker, as plain classes with the protocol's names.

Microsoft's runtime builds its answers from the classes of a namespace that the host hands over;
this module is that namespace. (Source: Azure/azure-functions-language-worker-protobuf.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar


def __getattr__(name: str) -> Any:
    """Refuse, by name, a message that this host does not take."""
    raise AttributeError(f"the local Functions host does not support {name} messages")


class TypedData:
    """A value on the wire: exactly one of `string`, `json`, `bytes`, `http`, `int`, `double`."""

    def __init__(self, **data: Any) -> None:
        [(self.kind, self.value)] = data.items()
        setattr(self, self.kind, self.value)

    def WhichOneof(self, group: str) -> str:  # noqa: N802 - the protocol's name
        """Return the kind of the value."""
        return self.kind


@dataclass(kw_only=True)
class RpcHttp:
    """A request or a response; `status_code` is text."""

    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    query: dict[str, str] = field(default_factory=dict[str, str])
    params: dict[str, str] = field(default_factory=dict[str, str])
    body: TypedData | None = None
    status_code: str = ""
    cookies: Any = None
    enable_content_negotiation: bool = False


@dataclass(kw_only=True)
class ParameterBinding:
    """The value of one parameter."""

    name: str
    data: TypedData

    def WhichOneof(self, group: str) -> str:  # noqa: N802 - the protocol's name
        """Return `data`: nothing is passed in shared memory here."""
        return "data"


@dataclass(kw_only=True)
class RpcException:
    """An exception; `message` begins with the name of its class."""

    message: str = ""
    stack_trace: str = ""


@dataclass(kw_only=True)
class StatusResult:
    """Whether a request succeeded."""

    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1

    status: int
    exception: RpcException | None = None


@dataclass(kw_only=True)
class RpcTraceContext:
    """A W3C trace context."""

    trace_parent: str
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(kw_only=True)
class RetryContext:
    """How often this event was tried before."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: RpcException | None = None


@dataclass(kw_only=True)
class InvocationRequest:
    """One call of one function."""

    invocation_id: str
    function_id: str
    input_data: list[ParameterBinding]
    trigger_metadata: dict[str, TypedData]
    trace_context: RpcTraceContext
    retry_context: RetryContext


@dataclass(kw_only=True)
class InvocationResponse:
    """What came of a call."""

    invocation_id: str
    result: StatusResult
    return_value: TypedData | None = None
    output_data: list[ParameterBinding] = field(default_factory=list[ParameterBinding])


class Message:
    """A message whose fields are whatever it is made with; absent ones are None."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        return None


class RpcFunctionMetadata(Message):
    """One function; `raw_bindings` are JSON texts in the form of function.json."""

    name: str
    function_id: str
    raw_bindings: list[str]


class BindingInfo(Message):
    """Type and direction of a binding."""

    undefined = 0
    out = 1
    inout = 2


class WorkerInitRequest(Message):
    """The first message to a worker; `function_app_directory` may be a placeholder."""


class WorkerInitResponse(Message):
    """Whether the worker has started, and what it can do."""


class WorkerMetadata(Message):
    """What a worker says about itself."""


class FunctionEnvironmentReloadRequest(Message):
    """Turns a placeholder into the worker of one app."""


class FunctionEnvironmentReloadResponse(Message):
    """Whether the app could be loaded."""


class FunctionsMetadataRequest(Message):
    """Asks for the functions of the app."""


class FunctionMetadataResponse(Message):
    """The functions of the app."""


class FunctionLoadRequest(Message):
    """Asks the worker to get one function ready."""


class FunctionLoadResponse(Message):
    """Whether the function is ready."""


class RpcRetryOptions(Message):
    """How the host is asked to retry a function; this host ignores it."""
