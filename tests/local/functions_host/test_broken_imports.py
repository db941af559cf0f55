"""An app that cannot be imported: the user sees their own traceback, and nothing of this host."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.functions_host.errors import IndexingError
from tests.support.functions_host import index


def _told(folder: Path, code: str) -> str:
    with pytest.raises(IndexingError) as refused:
        index(folder, code)
    text = str(refused.value)
    assert text.startswith("function_app.py could not be imported\n")
    assert "importlib" not in text
    assert "indexing.py" not in text
    return text


def test_the_traceback_begins_in_the_app_and_ends_with_the_error(tmp_path: Path) -> None:
    text = _told(tmp_path, "def fail():\n    raise RuntimeError('out of order')\n\nfail()\n")
    assert text.splitlines()[1] == "Traceback (most recent call last):"
    assert text.splitlines()[2].startswith(f'  File "{tmp_path / "function_app.py"}", line ')
    assert "in fail" in text
    assert text.endswith("RuntimeError: out of order")


def test_a_module_that_is_not_installed_is_named(tmp_path: Path) -> None:
    text = _told(tmp_path, "import not_installed_anywhere\n")
    assert "\nModuleNotFoundError: No module named 'not_installed_anywhere'" in text


def test_a_syntax_error_is_shown_with_its_line(tmp_path: Path) -> None:
    text = _told(tmp_path, "def broken(:\n")
    assert "def broken(:" in text
    assert "SyntaxError" in text


def test_an_error_in_a_module_that_the_app_imports_is_shown_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "host_test_broken.py").write_text("1 / 0\n")
    text = _told(tmp_path, "import host_test_broken\n")
    assert f'File "{tmp_path / "host_test_broken.py"}", line 1' in text
    assert text.endswith("ZeroDivisionError: division by zero")


def test_an_app_that_exits_at_its_import_does_not_take_the_host_along(tmp_path: Path) -> None:
    assert _told(tmp_path, "raise SystemExit('no settings')\n").endswith("SystemExit: no settings")
