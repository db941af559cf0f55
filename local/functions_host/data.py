"""Between wire data and Python values, through the converters that the azure-functions library registers for the worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from azure.functions.meta import Datum, get_binding_registry

from local.functions_host.functions import Binding

Metadata = Mapping[str, Datum]


def decode(binding: Binding, data: Datum, metadata: Metadata | None = None) -> Any:
    """What the parameter of this binding is called with. `metadata` is the trigger's, None for other bindings."""
    if binding.raw:
        return data.value
    converter: Any = cast(Any, get_binding_registry()).get(binding.type)
    return converter.decode(data, trigger_metadata=metadata)


def encode(binding_type: str, value: Any) -> Datum:
    """What the worker would send back for this return value. Raises TypeError for a value that it cannot encode."""
    converter: Any = cast(Any, get_binding_registry()).get(binding_type)
    try:
        return converter.encode(value, expected_type=None)
    except NotImplementedError:
        raise TypeError(
            f'unable to encode outgoing data: unsupported type "{binding_type}" for Python type "{type(value).__name__}"'
        ) from None
