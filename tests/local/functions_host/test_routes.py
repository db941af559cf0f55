"""The route table: prefix, methods, the more specific route first."""

from __future__ import annotations

from typing import Any

import pytest

from local.functions_host.errors import IndexingError
from local.functions_host.functions import HTTP_TRIGGER, Binding, IndexedFunction
from local.functions_host.routes import RouteTable


def _function(name: str, **properties: Any) -> IndexedFunction:
    trigger = Binding("req", HTTP_TRIGGER, properties)
    return IndexedFunction(id=name, name=name, trigger=trigger, inputs=(trigger,))


def _found(table: RouteTable, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    match = table.find(method, path)
    return (match[0].function.name, dict(match[1])) if match else None


def test_a_route_lies_below_the_prefix() -> None:
    functions = [_function("status", route="/runs/{id}/"), _function("unnamed")]
    assert _found(RouteTable(functions, "api/v1"), "GET", "api/v1/runs/7") == (
        "status",
        {"id": "7"},
    )
    assert _found(RouteTable(functions, "api/v1"), "GET", "api/v1/unnamed") == ("unnamed", {})
    assert _found(RouteTable(functions, "api/v1"), "GET", "runs/7") is None
    assert _found(RouteTable(functions, ""), "GET", "runs/7") == ("status", {"id": "7"})


def test_a_method_that_a_route_does_not_answer_falls_to_the_next_route_or_none() -> None:
    table = RouteTable(
        [_function("read", route="runs", methods=["get"]), _function("any", route="{x}")], ""
    )
    assert _found(table, "GET", "runs") == ("read", {})
    assert _found(table, "POST", "runs") == ("any", {"x": "runs"})
    assert (
        _found(RouteTable([_function("read", route="runs", methods=["GET"])], ""), "POST", "runs")
        is None
    )


def test_two_functions_may_share_a_path_by_method() -> None:
    functions = [
        _function("list", route="runs", methods=["GET"]),
        _function("start", route="runs", methods=["POST"]),
    ]
    assert _found(RouteTable(functions, ""), "post", "runs") == ("start", {})


def test_a_literal_answers_before_a_placeholder_whatever_the_order_of_definition() -> None:
    functions = [
        _function(route, route=route) for route in ("{kind}/latest", "runs/{id}", "runs/latest")
    ]
    table = RouteTable(functions, "")
    matches = [_found(table, "GET", path) for path in ("runs/latest", "runs/7", "jobs/latest")]
    assert matches == [
        ("runs/latest", {}),
        ("runs/{id}", {"id": "7"}),
        ("{kind}/latest", {"kind": "jobs"}),
    ]


def test_a_placeholder_is_one_decoded_segment_and_literals_match_in_any_case() -> None:
    table = RouteTable([_function("status", route="runs/{id}")], "api")
    assert _found(table, "GET", "API/Runs/a%2Fb%20c/") == ("status", {"id": "a/b c"})
    assert _found(table, "GET", "api/runs/a/b") is None
    assert _found(table, "GET", "api/runs//") is None


@pytest.mark.parametrize(
    "segment",
    ["{id", "id}", "{id:int}", "{id?}", "{id=1}", "{*rest}", "{}", "v{id}", "{a}-{b}", "{1x}"],
)
def test_whatever_is_no_literal_and_no_placeholder_is_refused(segment: str) -> None:
    message = r"function broken has a route that this host cannot serve: .* must be a literal or"
    with pytest.raises(IndexingError, match=message):
        RouteTable([_function("broken", route=f"runs/{segment}")], "api")


def test_all_routes_that_cannot_be_served_are_refused_at_once() -> None:
    functions = [
        _function("one", route="{"),
        _function("fine", route="x"),
        _function("two", route="{id}/{ID}"),
    ]
    with pytest.raises(IndexingError, match=r"(?s)function one .*function two ") as refused:
        RouteTable(functions, "api")
    assert "fine" not in str(refused.value)


def test_routes_are_announced_with_their_methods() -> None:
    table = RouteTable(
        [_function("a", route="a", methods=["GET", "POST"]), _function("b", route="b/{x}")], "api"
    )
    assert list(map(str, table.routes)) == ["[GET,POST] /api/a", "[any] /api/b/{x}"]
