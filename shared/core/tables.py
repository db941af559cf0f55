"""Tables of words and numbers that modules read from TOML files beside them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table, or a section of one. It has exactly these entries."""

    model_config = ConfigDict(extra="forbid", frozen=True)


TableT = TypeVar("TableT", bound=BaseModel)


def read_table(kind: type[TableT], file: str | Path) -> TableT:
    """Return the table in the TOML file of this name, or beside the module of this name.

    Raises ValidationError (pydantic's) if its entries are others than those of `kind`.
    """
    text = Path(file).with_suffix(".toml").read_text(encoding="utf-8")
    return kind.model_validate(tomllib.loads(text))
