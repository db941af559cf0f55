"""Constraints on route parameters: which values each lets through."""

from __future__ import annotations

import pytest

from local.functions_host.constraints import parse_constraint

GUID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        ("int", ["0", "-7", "2147483647", "-2147483648"], ["", "a", "1.0", "2147483648", "١"]),
        ("long", ["2147483648", "-9223372036854775808"], ["9223372036854775808", "x"]),
        ("bool", ["true", "FALSE"], ["1", "yes", ""]),
        ("guid", [GUID, GUID.upper()], [GUID[:-1], "x"]),
        ("alpha", ["abc", "ABC"], ["a1", "a-b", "é"]),
        ("decimal", ["1", "-1.5"], ["a", "1,5"]),
        ("double", ["1e3", "0.25"], ["e"]),
        ("float", ["1.5"], ["x"]),
        ("datetime", ["2024-02-29", "2024-02-29T12:00:00"], ["2023-02-29", "soon"]),
        ("required", ["x"], [""]),
        ("min(3)", ["3", "400"], ["2", "-5", "x"]),
        ("max(3)", ["3", "-400"], ["4", "x"]),
        ("range(2,4)", ["2", "4"], ["1", "5", "x"]),
        ("minlength(2)", ["ab", "abcdef"], ["a"]),
        ("maxlength(2)", ["a", "ab"], ["abc"]),
        ("length(2)", ["ab"], ["a", "abc"]),
        ("length(2,3)", ["ab", "abc"], ["a", "abcd"]),
        ("regex(^a|b$)", ["axx", "xxb", "AXX"], ["xax"]),
        (r"regex(^\d{{3}}$)", ["123"], ["12", "1234"]),
        ("INT", ["1"], ["x"]),
    ],
)
def test_a_constraint_lets_through_what_it_names(
    constraint: str, allowed: list[str], refused: list[str]
) -> None:
    allows = parse_constraint(constraint)
    assert [value for value in allowed if not allows(value)] == []
    assert [value for value in refused if allows(value)] == []


@pytest.mark.parametrize(
    "constraint", ["integer", "min", "int(3)", "", "min(", "min(a)", "range(1)", "regex([)"]
)
def test_a_constraint_that_does_not_exist_is_a_value_error(constraint: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_constraint(constraint)


def test_the_error_names_the_constraints_that_exist() -> None:
    with pytest.raises(ValueError, match=r"'integer' is not known: int, long, .*regex are"):
        parse_constraint("integer")
