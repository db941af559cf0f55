"""What a file in container `datasets` is meant to be, judging by its name alone.

A run reads four names: `train.jsonl`, `validation.jsonl`, `test.jsonl` and `run.json`. Others that
people use for the same thing are recognised, so that they can be told which name is read.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from shared.core.paths import Split


class Role(StrEnum):
    """What a file is meant to be. The value is the name that a run reads."""

    TRAIN = "train.jsonl"
    VALIDATION = "validation.jsonl"
    TEST = "test.jsonl"
    SETTINGS = "run.json"


# Plain texts, as pathlib takes no other kind.
SPECIFICATION_FILE = Role.SETTINGS.value
SPLIT_FILES: dict[Split, str] = {
    "validation": Role.VALIDATION.value,
    "test": Role.TEST.value,
}
"""Further datasets beside a training set."""


class Difference(StrEnum):
    """How a name differs from the one that a run reads."""

    NONE = "none"
    SPELLING = "spelling"  # upper case, spaces
    NAME = "name"
    FORMAT = "format"  # another form of file, by its suffixes
    PART = "part"  # one of several training files
    ROWS = "rows"  # a file of rows that could be any of them


@dataclass(frozen=True, slots=True)
class FileName:
    """A recognised name. `suffix` is what follows its stem, in lower case: `jsonl.gz`."""

    role: Role
    difference: Difference
    suffix: str
    is_ambiguous: bool = False
    """Whether it may mean a validation set or a test set."""
    is_later_part: bool = False
    """Whether it is one of many parts, and neither the first nor the second."""

    @property
    def is_read(self) -> bool:
        """Return whether a run reads a file of this name."""
        return self.difference is Difference.NONE


JSON_LINES = frozenset({"jsonl", "ndjson", "jsonlines", "jl"})
SETTINGS_SUFFIXES = frozenset({"json", "jsonl", "json5", "jsonc", "yaml", "yml", "toml"})
COMPRESSED = frozenset({"gz", "gzip", "bz2", "xz", "zip"})
CONVERTIBLE = COMPRESSED | {"json", "csv", "tsv", "txt", "parquet"}
SPREADSHEETS = frozenset({"xlsx", "xls", "xlsm", "ods"})
UNREAD = frozenset(
    {"arrow", "feather", "avro", "orc", "pkl", "pickle", "npy", "db", "sqlite", "xml", "md", "doc"}
    | {"docx", "pdf", "zst", "7z", "rar", "tar", "tgz", "lz4", "yaml", "yml", "toml", "html"}
)
SUFFIXES = JSON_LINES | CONVERTIBLE | SPREADSHEETS | UNREAD
# of files of rows whatever they are called
ROWS_SUFFIXES = JSON_LINES | SPREADSHEETS | {"csv", "tsv", "parquet", "arrow"}
SETTINGS_STEMS = frozenset(
    {"run", "spec", "config", "settings", "specification", "configuration", "params", "runjson"}
    | {"runspec", "runspecification", "runconfig", "parameters", "distillation", "hyperparameters"}
)
STEMS: dict[str, Role] = {
    **dict.fromkeys(("train", "training", "trn"), Role.TRAIN),
    **dict.fromkeys(("validation", "val", "valid", "validate", "validating"), Role.VALIDATION),
    **dict.fromkeys(("dev", "devel", "development", "eval", "evaluation"), Role.VALIDATION),
    **dict.fromkeys(("test", "testing", "tests", "holdout", "heldout"), Role.TEST),
}
AMBIGUOUS_STEMS = frozenset({"eval", "evaluation"})
_FILLER = re.compile(r"(?:set|data|dataset|split|file|rows|examples|samples|copy|final|new)+")
_PART = re.compile(r"(?P<stem>\D*?)(?:part|shard|chunk)?(?P<number>\d+)(?P<of>of\d+)?")
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})  # Unicode categories
_MAX_NAME = 200  # characters that are compared: names may have 1,024


def plain(name: str) -> str:
    """Return a name in lower case, without spaces and invisible characters around it."""
    text = unicodedata.normalize("NFKC", name).casefold()
    kept = [char for char in text if unicodedata.category(char) not in _INVISIBLE or char == " "]
    return "".join(kept).strip()


def recognise(base: str) -> FileName | None:
    """Return what a file is meant to be by the last part of its name, None if it isn't known."""
    if base in tuple(Role):
        role = Role(base)
        return FileName(role, Difference.NONE, base.partition(".")[2])
    name = plain(base)
    if not name or len(name) > _MAX_NAME or name[0] in "._~$#":  # hidden and temporary files
        return None
    if name in tuple(Role):
        role = Role(name)
        return FileName(role, Difference.SPELLING, name.partition(".")[2])
    return _other_name(name)


def _other_name(name: str) -> FileName | None:
    words = name.split(".")
    count = 0
    while count < len(words) - 1 and words[-1 - count].strip() in SUFFIXES | SETTINGS_SUFFIXES:
        count += 1
    suffixes = [word.strip() for word in words[len(words) - count :]]
    stem = re.sub(r"[\W_]+", "", "".join(words[: len(words) - count]))
    if not stem:
        return None
    if not suffixes:  # a name without any suffix means a file only if it is the whole word
        role = STEMS.get(stem) if stem == name and stem in ("train", "validation") else None
        return FileName(role, Difference.NAME, "") if role else None
    return _settings(stem, suffixes) or _rows(stem, suffixes)


def _settings(stem: str, suffixes: list[str]) -> FileName | None:
    if stem not in SETTINGS_STEMS or len(suffixes) > 1 or suffixes[0] not in SETTINGS_SUFFIXES:
        return None
    is_json = suffixes[0] == "json"
    difference = Difference.NAME if is_json else Difference.FORMAT
    return FileName(Role.SETTINGS, difference, suffixes[0])


def _rows(stem: str, suffixes: list[str]) -> FileName | None:
    if not SUFFIXES.issuperset(suffixes):
        return None
    suffix = ".".join(suffixes)
    part = _PART.fullmatch(stem)
    word = part["stem"] if part else stem
    role = _role_of(word)
    is_named_later = bool(part) and len(part["number"]) > 1 and int(part["number"][:9]) > 1
    if role is None:
        if not (ROWS_SUFFIXES.intersection(suffixes) or _FILLER.fullmatch(word)):
            return None
        return FileName(Role.TRAIN, Difference.ROWS, suffix, is_later_part=is_named_later)
    if part and role is Role.TRAIN:
        return FileName(role, Difference.PART, suffix, is_later_part=is_named_later)
    # Windows hides suffixes: `train.jsonl.txt` is JSON lines under a wrong name
    is_json_lines = suffixes[0] in JSON_LINES and set(suffixes[1:]) <= {"txt", "json", "jsonl"}
    difference = Difference.NAME if is_json_lines else Difference.FORMAT
    return FileName(role, difference, suffix, is_ambiguous=word in AMBIGUOUS_STEMS)


def _role_of(word: str) -> Role | None:
    """Return the role that a word means: `trainset` and `trian` mean train."""
    for stem in (word, _FILLER.sub("", word)):
        if stem in STEMS:
            return STEMS[stem]
    usual = ("train", "training", "validation")
    close = get_close_matches(word, usual, n=1, cutoff=0.8)
    return STEMS[close[0]] if close and close[0][0] == word[0] else None
