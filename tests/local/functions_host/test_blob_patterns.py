"""Which blobs a trigger's path means, and which triggers can be served."""

from __future__ import annotations

from typing import Any

import pytest

from local.functions_host.blob_triggers import BlobPattern, blob_triggers
from local.functions_host.errors import IndexingError
from local.functions_host.functions import BLOB_TRIGGER, Binding, IndexedFunction


@pytest.mark.parametrize(
    ("path", "blob", "values"),
    [
        ("c/a.txt", "a.txt", {}),
        ("c/a.txt", "aXtxt", None),
        ("c/{name}", "a/b c.txt", {"name": "a/b c.txt"}),
        ("c/in/{name}.jsonl", "in/x.jsonl", {"name": "x"}),
        ("c/in/{name}.jsonl", "out/in/x.jsonl", None),
        ("c/in/{name}.jsonl", "in/.jsonl", None),
        ("c/in/{name}.jsonl", "in/x.jsonl.gz", None),
        ("c/{task}/{name}/train.jsonl", "math/set/train.jsonl", {"task": "math", "name": "set"}),
        ("c/{task}/{name}/train.jsonl", "math/train.jsonl", None),
        ("c/{name}.{extension}", "a.tar.gz", {"name": "a.tar", "extension": "gz"}),
        ("c/{name}", "A", {"name": "A"}),
        ("c/a", "A", None),
    ],
)
def test_a_path_matches_whole_names_and_gives_their_parts(
    path: str, blob: str, values: dict[str, str] | None
) -> None:
    assert BlobPattern.parse(path).match(blob) == values


@pytest.mark.parametrize(
    "path", ["", "container", "container/", "{container}/blob", "c/{name}/{name}", "c/{1}"]
)
def test_what_is_no_path_of_blobs_is_a_value_error(path: str) -> None:
    with pytest.raises(ValueError, match="is not a path of the form container/blob"):
        BlobPattern.parse(path)


def _function(name: str, **properties: Any) -> IndexedFunction:
    trigger = Binding("data", BLOB_TRIGGER, properties)
    return IndexedFunction(id=name, name=name, trigger=trigger, inputs=(trigger,))


def test_the_connection_is_an_app_setting_and_azures_own_by_default() -> None:
    functions = [
        _function("named", path="c/{x}", connection="DATA"),
        _function("plain", path="c/{x}"),
    ]
    named, plain = blob_triggers(functions, {"DATA": "one", "AzureWebJobsStorage": "two"})
    assert (named.connection, plain.connection) == ("one", "two")


def test_a_trigger_of_event_grid_is_not_polled() -> None:
    sources = ["EventGrid", "LogsAndContainerScan"]
    functions = [_function(source, path="c/{x}", source=source) for source in sources]
    assert [
        trigger.is_polled for trigger in blob_triggers(functions, {"AzureWebJobsStorage": "x"})
    ] == [
        False,
        True,
    ]


def test_all_triggers_that_cannot_be_served_are_told_at_once() -> None:
    functions = [
        _function("blind", path="c/{x}", connection="NOT_THERE"),
        _function("fine", path="c/{x}", connection="DATA"),
        _function("lost", path="nowhere", connection="DATA"),
    ]
    with pytest.raises(IndexingError) as refused:
        blob_triggers(functions, {"DATA": "x"})
    first, second = str(refused.value).splitlines()
    assert first == "function blind needs the connection string NOT_THERE, which is not set"
    assert second.startswith(
        "function lost has a blob trigger that cannot be served: 'nowhere' is not a path"
    )
