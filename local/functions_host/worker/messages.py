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
    source: str = ""


@dataclass(kw_only=True)
class StatusResult:
    """Whether a request succeeded."""

    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1

    status: int
    exception: RpcException | None = None


@dataclass(kw_only=True)
class BindingInfo:
    """Type and direction of a binding."""

    inout: ClassVar[int] = 2
    out: ClassVar[int] = 1
    undefined: ClassVar[int] = 0

    type: str
    direction: int
    data_type: int = undefined


@dataclass(kw_only=True)
class RpcRetryOptions:
    """How the host is asked to retry a function; this host ignores it."""

    max_retry_count: int = 0
    retry_strategy: Any = None
    delay_interval: Any = None
    minimum_interval: Any = None
    maximum_interval: Any = None


@dataclass(kw_only=True)
class RpcFunctionMetadata:
    """One function of the app; `raw_bindings` are JSON texts in the form of function.json."""

    name: str
    function_id: str
    directory: str
    raw_bindings: list[str]
    script_file: str = ""
    entry_point: str = ""
    language: str = "python"
    is_proxy: bool = False
    managed_dependency_enabled: bool = False
    bindings: dict[str, BindingInfo] = field(default_factory=dict[str, BindingInfo])
    retry_options: RpcRetryOptions | None = None
    properties: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(kw_only=True)
class WorkerInitRequest:
    """The first message to a worker; `function_app_directory` may be a placeholder."""

    capabilities: dict[str, str]
    function_app_directory: str


@dataclass(kw_only=True)
class WorkerMetadata:
    """What a worker says about itself."""

    runtime_name: str
    runtime_version: str
    worker_version: str
    worker_bitness: str
    custom_properties: dict[str, str]


@dataclass(kw_only=True)
class WorkerInitResponse:
    """Whether the worker has started, and what it can do."""

    result: StatusResult
    capabilities: dict[str, str] = field(default_factory=dict[str, str])
    worker_metadata: WorkerMetadata | None = None


@dataclass(kw_only=True)
class FunctionEnvironmentReloadRequest:
    """Turns a placeholder into the worker of one app."""

    environment_variables: dict[str, str]
    function_app_directory: str


@dataclass(kw_only=True)
class FunctionEnvironmentReloadResponse:
    """Whether the app could be loaded."""

    result: StatusResult
    capabilities: dict[str, str] = field(default_factory=dict[str, str])
    worker_metadata: WorkerMetadata | None = None


@dataclass(kw_only=True)
class FunctionsMetadataRequest:
    """Asks for the functions of the app."""

    function_app_directory: str


@dataclass(kw_only=True)
class FunctionMetadataResponse:
    """The functions of the app."""

    result: StatusResult
    function_metadata_results: list[RpcFunctionMetadata] | None = None
    use_default_metadata_indexing: bool = False


@dataclass(kw_only=True)
class FunctionLoadRequest:
    """Asks the worker to get one function ready."""

    function_id: str
    metadata: RpcFunctionMetadata


@dataclass(kw_only=True)
class FunctionLoadResponse:
    """Whether the function is ready."""

    function_id: str
    result: StatusResult


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
