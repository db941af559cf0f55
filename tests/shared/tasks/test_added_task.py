"""A task is added by one module and one entry in the registry: nothing else in the app names it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.core.errors import InvalidInput
from shared.core.storage import Storage
from shared.dataset.rows import Message, as_jsonl
from shared.spec.parse import parse_spec, spec_schema
from shared.tasks import TASKS
from shared.teacher import Completion
from tests.shared.conftest import RunFolder, question
from tests.support import yes_no
from tests.support.scripted_shards import ScriptedTeacher, run_all
from tests.support.yes_no import COMPLAINT, YesNo

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "yes_no", YesNo())


def spec(**fields: Any) -> dict[str, Any]:
    student = {"model": "azureml://registries/r/models/m/versions/1"}
    return {
        "task": "yes_no",
        "train": "datasets/yes_no/x/train.jsonl",
        "student": student,
        **fields,
    }


def test_the_specification_takes_what_the_task_takes() -> None:
    run = parse_spec(spec(prompt={"chain_of_thought": True}, quality={"select": "reference"}))
    assert run.min_rows == 12
    with pytest.raises(InvalidInput) as error:
        parse_spec(spec(prompt={"chain_of_density": True}))
    (problem,) = error.value.details
    assert problem["problem"] == "can't be used by task yes_no: remove it"


def test_the_published_schema_names_it() -> None:
    task = spec_schema()["properties"]["task"]  # type: ignore[index]
    assert task["enum"] == [*TASKS]  # type: ignore[index]


def test_an_unknown_task_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(InvalidInput) as error:
        parse_spec(spec(task="perhaps"))
    (problem,) = error.value.details
    assert problem["problem"].endswith("'math', 'summarization' or 'yes_no'")


@pytest.mark.slow
@pytest.mark.parametrize("first", ["shared.tasks", "shared.spec.parse"])
def test_its_module_can_be_registered_in_a_copy_of_the_app(tmp_path: Path, first: str) -> None:
    copy = tmp_path / "shared"
    shutil.copytree(ROOT / "shared", copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(yes_no.__file__, copy / "tasks" / "yes_no.py")
    registry = copy / "tasks" / "__init__.py"
    source = registry.read_text(encoding="utf-8")
    lines = {
        "from shared.tasks.summarization": "from shared.tasks.yes_no import YesNo",
        "        Summarization()": "        YesNo(),",
    }
    for beginning, line in lines.items():
        source, count = re.subn(
            rf"^{re.escape(beginning)}.*$", rf"\g<0>\n{line}", source, flags=re.M
        )
        assert count == 1
    registry.write_text(source, encoding="utf-8")

    program = (
        f"import {first}; from shared.spec.parse import parse_spec; "
        "print(parse_spec({'task': 'yes_no', 'train': 'datasets/a.jsonl'}).min_rows)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.stdout == "12\n", ended.stderr


class Taciturn(ScriptedTeacher):
    """Answers the first question only when it hears the complaint."""

    async def complete(self, messages: list[Message], **options: Any) -> Completion:
        if messages[-1]["content"] == "Is 2 even?" and COMPLAINT not in messages[0]["content"]:
            return Completion("perhaps", "stop", None, None, 10, 2, "scripted-1")
        return await super().complete(messages, **options)


async def test_its_rows_are_checked_asked_read_and_taught(storage: Storage) -> None:
    folder = RunFolder(storage, parse_spec(spec()))
    rows = [question("Is 2 even?"), question("Is 3 even?", id="b"), question("Go!", id="c")]
    plan = await folder.add(as_jsonl(rows))
    assert (plan.valid, plan.rejected) == (2, {"no_choices": 1})
    assert plan.estimate.requests == 2

    tally = await run_all(folder, Taciturn(lambda text: "Yes." if "2" in text else "No"))
    assert tally.adds_up
    assert (tally.accepted, tally.rejected) == (2, {"no_choices": 1})
    dataset = await folder.text(folder.paths.dataset("train"))
    answers = [json.loads(line)["messages"][-1]["content"] for line in dataset.splitlines()]
    assert answers == ["yes", "no"]
