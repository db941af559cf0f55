from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.generation.sampling import next_batch_size, select_value
from shared.spec.models import Select

VALUES = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=9, max_size=9)


def draw_all(
    select: Select, samples: int, replies: list[str | None], reference: str | None
) -> list[str | None]:
    """All that is asked for until the choice is made, wave by wave."""
    drawn: list[str | None] = []
    while wave := next_batch_size(select, samples, drawn, reference):
        drawn += replies[len(drawn) : len(drawn) + wave]
    return drawn


def test_a_majority_asks_for_no_more_than_could_settle_it() -> None:
    assert next_batch_size("majority", 5, [], None) == 3
    assert next_batch_size("majority", 5, ["a", "a", "a"], None) == 0
    assert next_batch_size("majority", 5, ["a", "a", "b"], None) == 1
    assert next_batch_size("majority", 5, ["a", "b", "c"], None) == 2


@given(replies=VALUES, samples=st.integers(2, 9))
def test_stopping_early_never_changes_what_the_majority_is(
    replies: list[str | None], samples: int
) -> None:
    drawn = draw_all("majority", samples, replies, None)
    assert len(drawn) <= samples
    assert select_value("majority", drawn, None) == select_value(
        "majority", replies[:samples], None
    )


@given(replies=VALUES, samples=st.integers(2, 9))
def test_the_order_of_the_replies_does_not_change_the_choice(
    replies: list[str | None], samples: int
) -> None:
    assert select_value("majority", replies[:samples], None) == select_value(
        "majority", replies[:samples][::-1], None
    )


def test_a_tie_goes_to_the_value_that_sorts_first() -> None:
    assert select_value("majority", ["b", "a", "b", "a", None], None) == "a"


@given(replies=VALUES, samples=st.integers(1, 9))
def test_rejection_sampling_keeps_the_reference_or_nothing(
    replies: list[str | None], samples: int
) -> None:
    drawn = draw_all("reference", samples, replies, "b")
    assert select_value("reference", drawn, "b") == ("b" if "b" in replies[:samples] else None)


def test_rejection_sampling_asks_once_and_then_for_the_rest_at_the_same_time() -> None:
    assert next_batch_size("reference", 4, [], "b") == 1
    assert next_batch_size("reference", 4, ["b"], "b") == 0
    assert next_batch_size("reference", 4, ["a"], "b") == 3
    assert next_batch_size("reference", 4, ["a", None, "a", "a"], "b") == 0


def test_no_usable_sample_is_no_choice() -> None:
    assert select_value("majority", [None, None], None) is None
    assert select_value("first", [None], None) is None
