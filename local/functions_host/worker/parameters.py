"""Check a function's parameters against its bindings, as strictly as Microsoft's worker.

An app that starts here should also load in Azure: the worker refuses parameters without a binding,
bindings without a parameter, and annotations that are not plain classes (`dict[str, Any]`).
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from azure.functions.meta import get_binding_registry

from local.functions_host.functions import ACTIVITY_TRIGGER, ORCHESTRATION_TRIGGER

RETURN = "$return"
GENERIC = "generic"  # the type of a binding whose parameter is annotated `str` or `bytes`


class InvalidParameters(Exception):
    """The worker cannot load this function."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a function is called with and returns.

    `inputs` has the binding type of each parameter; `output` is that of the return value, None for
    a function that returns nothing.
    """

    inputs: Mapping[str, str]
    output: str | None


def check_parameters(call: Callable[..., Any], bindings: Mapping[str, str]) -> Parameters:
    """Match parameters and bindings (type by name, the trigger first). Raises InvalidParameters."""
    annotations = typing.get_type_hints(call)
    declared = set(inspect.signature(call).parameters)
    bound = {name: kind for name, kind in bindings.items() if name != RETURN}
    if unbound := declared - set(bound):
        raise InvalidParameters(f"parameters without a binding: {', '.join(sorted(unbound))}")
    if missing := set(bound) - declared:
        raise InvalidParameters(f"bindings without a parameter: {', '.join(sorted(missing))}")
    inputs = {name: _input_type(name, kind, annotations) for name, kind in bound.items()}
    output = bindings.get(RETURN)
    if output is not None:
        _check_return(annotations, output)
    else:
        output = next((kind for kind in inputs.values() if _returns_implicitly(kind)), None)
    return Parameters(inputs, output)


def converter(binding_type: str) -> Any:
    """Return the library's converter of this binding type, None if it has none."""
    return cast(Any, get_binding_registry()).get(binding_type)


def _returns_implicitly(binding_type: str) -> bool:
    return binding_type in (ORCHESTRATION_TRIGGER, ACTIVITY_TRIGGER)


def _accepts(binding_type: str, annotation: type) -> bool:
    codec = converter(binding_type)
    return codec is None or codec.check_input_type_annotation(annotation)


def _check_return(annotations: Mapping[str, Any], output: str) -> None:
    if "return" not in annotations:
        return
    annotation = annotations["return"]
    if not isinstance(annotation, type):
        raise InvalidParameters(f"invalid return annotation {annotation!r}: not a class")
    if not converter(output).check_output_type_annotation(annotation):
        raise InvalidParameters(
            f"return annotation {annotation.__name__} does not match binding type {output}"
        )


def _input_type(name: str, binding_type: str, annotations: Mapping[str, Any]) -> str:
    if name not in annotations:
        return binding_type
    annotation = annotations[name]
    if not isinstance(annotation, type) and not _is_typing_generic(annotation):
        raise InvalidParameters(f"parameter {name}: annotation {annotation!r} is not a class")
    if annotation in (str, bytes) and not _returns_implicitly(binding_type):
        return GENERIC
    if isinstance(annotation, type) and not _accepts(binding_type, annotation):
        raise InvalidParameters(
            f"parameter {name}: binding type {binding_type} does not match {annotation.__name__}"
        )
    return binding_type


def _is_typing_generic(annotation: Any) -> bool:
    """`typing.Dict[str, int]`, which the worker takes; neither `dict[str, int]` nor a union."""
    origin = typing.get_origin(annotation)
    return isinstance(origin, type) and not isinstance(
        annotation, types.GenericAlias | types.UnionType
    )
