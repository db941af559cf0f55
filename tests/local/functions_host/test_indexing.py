"""What the host takes from an app's function_app.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.functions_host.errors import IndexingError
from local.functions_host.functions import BLOB_TRIGGER, HTTP_TRIGGER
from tests.support.functions_host import HEADER, index, index_folder, write_app

ROUTE = """
@app.route("hello/%PLACE%", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""
BLOB = """
@app.blob_trigger(arg_name="data", path="%CONTAINER%/in/{name}.txt", connection="STORAGE")
async def arrived(data: func.InputStream) -> None: ...
"""


def test_a_function_is_read_with_its_bindings(tmp_path: Path) -> None:
    hello = index(tmp_path, ROUTE, {"PLACE": "world"}).functions["hello"]
    assert (hello.trigger.name, hello.trigger.type) == ("req", HTTP_TRIGGER)
    assert hello.trigger.properties["route"] == "hello/world"
    assert [binding.name for binding in hello.inputs] == ["req"]


def test_settings_are_resolved_in_the_path_of_a_blob_trigger(tmp_path: Path) -> None:
    app = index(tmp_path, BLOB, {"CONTAINER": "uploads"})
    (arrived,) = app.with_trigger(BLOB_TRIGGER)
    assert arrived.trigger.properties["path"] == "uploads/in/{name}.txt"


def test_functions_of_a_blueprint_count(tmp_path: Path) -> None:
    code = """
        part = func.Blueprint()

        @part.route("x")
        def of_blueprint(req: func.HttpRequest) -> str:
            return ""

        app.register_functions(part)
        del part
        """
    assert list(index(tmp_path, code).functions) == ["of_blueprint"]


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_a_function_that_a_setting_disables_is_left_out(tmp_path: Path, value: str) -> None:
    app = index(
        tmp_path,
        ROUTE + BLOB,
        {"PLACE": "x", "CONTAINER": "c", "AzureWebJobs.arrived.Disabled": value},
    )
    assert (list(app.functions), app.disabled) == (["hello"], ("arrived",))


def test_a_disabled_function_needs_none_of_its_settings(tmp_path: Path) -> None:
    assert index(tmp_path, BLOB, {"AzureWebJobs.arrived.Disabled": "true"}).functions == {}


def test_a_setting_of_false_disables_nothing(tmp_path: Path) -> None:
    assert (
        index(tmp_path, BLOB, {"CONTAINER": "c", "AzureWebJobs.arrived.Disabled": "false"}).disabled
        == ()
    )


def test_the_module_may_import_its_neighbours(tmp_path: Path) -> None:
    write_app(tmp_path, "")
    (tmp_path / "host_test_neighbour.py").write_text("GREETING = 'hi'")
    app = index(
        tmp_path, "import host_test_neighbour\nassert host_test_neighbour.GREETING == 'hi'\n"
    )
    assert app.functions == {}


def test_a_folder_without_the_module_is_refused(tmp_path: Path) -> None:
    write_app(tmp_path, "")
    (tmp_path / "function_app.py").rename(tmp_path / "app.py")
    with pytest.raises(
        IndexingError, match=r"has no function_app\.py: choose the app's folder with --app-dir"
    ):
        index_folder(tmp_path)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("import azure.functions as func\n", "find top level function app instances"),
        (
            f"{HEADER}second = func.FunctionApp()\n",
            "More than one FunctionApp or other top level function app instances",
        ),
    ],
)
def test_a_module_has_exactly_one_app(tmp_path: Path, header: str, reason: str) -> None:
    with pytest.raises(IndexingError, match=reason):
        index(tmp_path, "", header=header)


def test_two_functions_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexingError, match="hello does not have a unique function name"):
        index(tmp_path, ROUTE + ROUTE, {"PLACE": "x"})
