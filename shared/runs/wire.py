"""How models travel between orchestrators and activities: as JSON on Durable's wire.

A name knows its models: `ASSEMBLE_SPLIT` is the text "assemble_split", `ASSEMBLE_SPLIT.takes` is
the class of its input, and `ASSEMBLE_SPLIT.parse` reads its output. JSON is parsed once on each
side: by `shared/runs/activity.py` in activities, and by `orchestrators/durable/edge.py` in
orchestrators.

A permanent failure of an activity is data, `Failed`, because Durable hands orchestrators an untyped
exception that they cannot decide on.
"""

from __future__ import annotations

from typing import Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict

from shared.core.errors import ErrorData
from shared.core.json_values import JsonObject, json_object

InputT = TypeVar("InputT", bound=BaseModel)
OutputT = TypeVar("OutputT", bound=BaseModel)


class Contract(BaseModel):
    """An input, an output or a part of one. Undeclared fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Failed(Contract):
    """A permanent failure, as the output of an activity."""

    status: Literal["failed"] = "failed"
    error: ErrorData


class _Name(str, Generic[InputT, OutputT]):
    """A function's name, with the models of its input and output."""

    takes: type[InputT]
    returns: type[OutputT]

    def __new__(cls, name: str, takes: type[InputT], returns: type[OutputT]) -> Self:
        named = super().__new__(cls, name)
        named.takes = takes
        named.returns = returns
        return named


class Activity(_Name[InputT, OutputT]):
    """The name of an activity. The activity returns its output, or `Failed`."""

    def parse(self, output: object) -> OutputT | Failed:
        """Return the output as a model. Raises pydantic's ValidationError."""
        fields = json_object(output) or {}
        if fields.get("status") == "failed":
            return Failed.model_validate(output)
        return self.returns.model_validate(output)


class Orchestrator(_Name[InputT, OutputT]):
    """The name of an orchestrator. Its output's `status` says how it ended."""

    def parse(self, output: object) -> OutputT:
        """Return the output as a model. Raises pydantic's ValidationError."""
        return self.returns.model_validate(output)


def to_wire(model: BaseModel) -> JsonObject:
    """Return the model as plain JSON data."""
    return model.model_dump(mode="json")
