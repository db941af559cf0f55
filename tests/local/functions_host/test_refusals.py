"""Functions that cannot run here or would not load in Azure are refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from local.functions_host.errors import IndexingError
from tests.support.functions_host import index

HEADER = """
from typing import Any, Dict, Optional

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
"""

QUEUE = """
@app.queue_trigger(arg_name="message", queue_name="q", connection="STORAGE")
def dequeue(message: func.QueueMessage) -> None: ...
"""
QUEUE_OUTPUT = """
@app.route("x")
@app.queue_output(arg_name="message", queue_name="q", connection="STORAGE")
def enqueue(req: func.HttpRequest, message: func.Out[str]) -> str:
    return ""
"""
BLOB_INPUT = """
@app.route("y")
@app.blob_input(arg_name="blob", path="c/b", connection="STORAGE")
def read_blob(req: func.HttpRequest, blob: str) -> str:
    return ""
"""
ENTITY = """
@app.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext) -> None: ...
"""
SETTING = """
@app.blob_trigger(arg_name="data", path="%NOT_THERE%/{name}", connection="STORAGE")
def arrived(data: func.InputStream) -> None: ...
"""
OUTPUT_PARAMETER = """
@app.function_name("indirect")
@app.http_type(http_type="x")
@app.generic_trigger(arg_name="req", type="httpTrigger")
@app.generic_output_binding(arg_name="res", type="http")
def indirect(req: func.HttpRequest, res: func.Out[func.HttpResponse]) -> None: ...
"""


def _refusal(folder: Path, code: str) -> str:
    with pytest.raises(IndexingError) as refused:
        index(folder, code, header=HEADER)
    return str(refused.value)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            QUEUE,
            "function dequeue has a trigger that this host does not support: queueTrigger (it",
        ),
        (ENTITY, "function counter has a trigger that this host does not support: entityTrigger"),
        (
            QUEUE_OUTPUT,
            "function enqueue has a binding that this host does not support: queue (it supports",
        ),
        (BLOB_INPUT, "function read_blob has a binding that this host does not support: blob ("),
        (SETTING, "function arrived needs the app setting NOT_THERE, which is not set"),
        (OUTPUT_PARAMETER, "function indirect answers HTTP through an output parameter"),
    ],
)
def test_what_cannot_run_here_is_refused_by_name(tmp_path: Path, code: str, reason: str) -> None:
    assert _refusal(tmp_path, code).startswith(reason)


def test_every_problem_is_told_in_one_message(tmp_path: Path) -> None:
    problems = _refusal(tmp_path, QUEUE + QUEUE_OUTPUT + SETTING).splitlines()
    assert [line.split()[1] for line in problems] == ["dequeue", "enqueue", "arrived"]


@pytest.mark.parametrize(
    ("signature", "culprit"),
    [
        ("req, other", "'?other"),
        ("request", "'?request"),
        ("", "'?req"),
        ("req: dict[str, Any]", "req.*dict\\[str, typing.Any\\]"),
        ("req: func.HttpRequest | None", "req.*HttpRequest"),
        ("req: Optional[func.HttpRequest]", "req.*HttpRequest"),
        ("req: int", "req.*int"),
    ],
)
def test_parameters_that_azures_worker_refuses_are_refused(
    tmp_path: Path, signature: str, culprit: str
) -> None:
    code = f'@app.route("x")\ndef wrong({signature}) -> str:\n    return ""\n'
    problem = _refusal(tmp_path, code)
    assert re.search(f"cannot load the wrong function: .*{culprit}", problem)


def test_an_annotation_that_does_not_exist_at_run_time_is_refused(tmp_path: Path) -> None:
    code = '@app.route("x")\ndef wrong(req: "Nowhere") -> str:\n    return ""\n'
    assert "name 'Nowhere' is not defined" in _refusal(tmp_path, code)


@pytest.mark.parametrize(
    "annotation",
    ["dict[str, Any]", "dict", "None", "int", "func.HttpResponse | None", "Optional[str]", "bytes"],
)
def test_an_http_function_returns_a_response_or_text(tmp_path: Path, annotation: str) -> None:
    code = f'@app.route("x")\ndef wrong(req: func.HttpRequest) -> {annotation}: ...\n'
    assert re.search(
        "cannot load the wrong function: .*return annotation", _refusal(tmp_path, code)
    )


@pytest.mark.parametrize(
    "annotation", ["", "-> str", "-> func.HttpResponse", "-> 'func.HttpResponse'"]
)
def test_what_azures_worker_takes_as_return_annotation_is_taken(
    tmp_path: Path, annotation: str
) -> None:
    code = f'@app.route("x")\ndef right(req: func.HttpRequest) {annotation}: ...\n'
    assert list(index(tmp_path, code, header=HEADER).functions) == ["right"]


def test_an_activity_may_take_and_return_what_azures_worker_takes(tmp_path: Path) -> None:
    code = """
        @app.activity_trigger(input_name="payload")
        def plain(payload: dict) -> dict[str, Any]: ...

        @app.activity_trigger(input_name="payload")
        def old_style(payload: Dict[str, int]) -> Optional[str]: ...
        """
    assert list(index(tmp_path, code, header=HEADER).functions) == ["plain", "old_style"]


def test_an_activity_with_a_subscripted_dict_is_refused_as_in_azure(tmp_path: Path) -> None:
    trigger = '@app.activity_trigger(input_name="payload")'
    code = f"{trigger}\ndef wrong(payload: dict[str, Any]) -> None: ...\n"
    problem = _refusal(tmp_path, code)
    assert re.search(r"cannot load the wrong function: .*payload.*dict\[str, typing.Any\]", problem)
