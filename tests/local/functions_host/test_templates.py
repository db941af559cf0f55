"""Route templates: what they match, what they give to the function, and which of two goes first."""

from __future__ import annotations

import pytest

from local.functions_host.templates import InvalidTemplate, RouteTemplate


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("runs", "runs", {}),
        ("/runs/", "RUNS/", {}),
        ("runs/{id}", "runs/Ab-1", {"id": "Ab-1"}),
        ("runs/{id}", "runs/a%2Fb%20c", {"id": "a/b c"}),
        ("runs/{id:int}", "runs/7", {"id": "7"}),
        ("runs/{id:int:min(1)}", "runs/7", {"id": "7"}),
        ("runs/{id?}", "runs", {}),
        ("runs/{id?}", "runs/7", {"id": "7"}),
        ("runs/{id:int?}", "runs", {}),
        ("runs/{page=first}", "runs", {"page": "first"}),
        ("runs/{page:int=1}", "runs/2", {"page": "2"}),
        ("files/{*path}", "files/a/b%20c/d", {"path": "a/b c/d"}),
        ("files/{**path}", "files", {}),
        ("files/{*path=index}", "files", {"path": "index"}),
        ("{a}-{b:int}", "x-3", {"a": "x", "b": "3"}),
        ("{file}.{extension}", "archive.tar.gz", {"file": "archive.tar", "extension": "gz"}),
        (r"{code:regex(^\d{{3}}$)}", "123", {"code": "123"}),
        ("{code:regex(^a?b=c$)}", "b=c", {"code": "b=c"}),
        ("{code:regex(^(a|b)$)?}", "b", {"code": "b"}),
        ("{at:regex(^1:2$):length(3)}", "1:2", {"at": "1:2"}),
        ("", "", {}),
    ],
)
def test_a_path_gives_its_parameters(template: str, path: str, values: dict[str, str]) -> None:
    assert RouteTemplate(template).match(path) == values


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("runs", "run"),
        ("runs", "runs/7"),
        ("runs/{id}", "runs"),
        ("runs/{id}", "runs/a/b"),
        ("runs/{id:int}", "runs/seven"),
        ("runs/{id:int:min(1)}", "runs/0"),
        ("runs/{id:int?}", "runs/seven"),
        ("a.b", "axb"),
        ("files/{*path}", "filesystem"),
        (r"{code:regex(^\d{{3}}$)}", "1234"),
    ],
)
def test_another_path_is_not_matched(template: str, path: str) -> None:
    assert RouteTemplate(template).match(path) is None


def test_the_most_specific_template_goes_first() -> None:
    ordered = [
        "a",
        "a/b",
        "a/{x:int}",
        "a/{x}",
        "a/{*rest:minlength(1)}",
        "a/{*rest}",
        "{x}",
        "{*rest}",
    ]
    templates = sorted(
        map(RouteTemplate, sorted(ordered)), key=lambda template: template.precedence
    )
    assert [template.text for template in templates] == ordered


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("runs/{id", "braces that do not match"),
        ("runs/id}", "braces that do not match"),
        ("runs/{}", "not a route parameter"),
        ("runs/{1d}", "not a route parameter"),
        ("runs/{id!}", "not a route parameter"),
        ("{id}/{ID}", "occurs twice"),
        ("x{id?}", "a segment of its own"),
        ("x{*id}", "a segment of its own"),
        ("{*rest}/end", "last segment"),
        ("{id:integer}", "'integer' is not known"),
        ("{id:min(a)}", "invalid literal"),
        ("{id:regex([)}", "unterminated"),
    ],
)
def test_a_template_that_cannot_be_a_route_is_refused_with_the_reason(
    template: str, reason: str
) -> None:
    with pytest.raises(InvalidTemplate, match=reason):
        RouteTemplate(template)
