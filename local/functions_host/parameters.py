"""Checks a function's parameters against its bindings, with the strictness of the Functions worker.

An app that starts here should also load in Azure: the worker refuses parameters without a binding, bindings without a
parameter, and annotations that are not plain classes (`dict[str, Any]` included).
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import azure.functions as func
from azure.functions.meta import get_binding_registry

from local.functions_host.functions import BLOB_TRIGGER, DURABLE_CLIENT, Binding

CONTEXT = "context"


class InvalidParameters(Exception):
    """The worker would refuse to load this function; the message says why, without its name."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The bindings of a function's parameters, and whether it asks for the invocation's context."""

    inputs: tuple[Binding, ...]
    wants_context: bool


def check_parameters(call: Callable[..., Any], bound: Sequence[Binding]) -> Checked:
    """Raises InvalidParameters."""
    declared = set(inspect.signature(call).parameters)
    annotations = _annotations(call)
    names = {binding.name for binding in bound}
    wants_context = CONTEXT in declared and CONTEXT not in names
    if wants_context:
        declared.discard(CONTEXT)
        _check_context(annotations)
    if unbound := declared - names:
        raise InvalidParameters(f"has parameters without a binding: {', '.join(sorted(unbound))}")
    if missing := names - declared:
        raise InvalidParameters(f"has bindings without a parameter: {', '.join(sorted(missing))}")
    return Checked(
        tuple(_check_annotation(binding, annotations) for binding in bound), wants_context
    )


def check_return(call: Callable[..., Any], output: Binding | None) -> None:
    """Raises InvalidParameters for a return annotation that the binding of the return value does not take."""
    annotations = _annotations(call)
    if output is None or "return" not in annotations:
        return
    annotation = annotations["return"]
    converter: Any = cast(Any, get_binding_registry()).get(output.type)
    if not isinstance(annotation, type) or not converter.check_output_type_annotation(annotation):
        raise InvalidParameters(
            f"is annotated to return {annotation!r}, which Azure's worker refuses"
        )


def _annotations(call: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(call)
    except NameError as error:
        raise InvalidParameters(
            f"has an annotation that does not exist at run time: {error}"
        ) from None


def _check_context(annotations: dict[str, Any]) -> None:
    annotation = annotations.get(CONTEXT, func.Context)
    if not isinstance(annotation, type) or not issubclass(annotation, func.Context):
        raise InvalidParameters(
            "has a parameter `context` that is not annotated azure.functions.Context"
        )


def _check_annotation(binding: Binding, annotations: dict[str, Any]) -> Binding:
    if binding.name not in annotations:
        return binding
    annotation = annotations[binding.name]
    if not isinstance(annotation, type) and not _is_typing_generic(annotation):
        raise InvalidParameters(
            f"has a parameter {binding.name} annotated {annotation!r}: Azure's worker takes plain classes alone"
        )
    if annotation in (str, bytes) and binding.type in (BLOB_TRIGGER, DURABLE_CLIENT):
        return replace(binding, raw=True)
    converter: Any = cast(Any, get_binding_registry()).get(binding.type)
    if isinstance(annotation, type) and not converter.check_input_type_annotation(annotation):
        raise InvalidParameters(
            f"has a parameter {binding.name} annotated {annotation.__name__}, which {binding.type} does not give"
        )
    return binding


def _is_typing_generic(annotation: Any) -> bool:
    """`typing.Dict[str, int]`, which the worker takes, but neither `dict[str, int]` nor `int | None`."""
    origin = typing.get_origin(annotation)
    return isinstance(origin, type) and not isinstance(
        annotation, types.GenericAlias | types.UnionType
    )
