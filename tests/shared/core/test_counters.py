"""Counts only ever add up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.core.counters import (
    MAX_LABELS,
    MAX_TEACHERS,
    OTHER_LABELS,
    Counters,
    LabelCounts,
    bounded_labels,
    is_sealed,
    total,
)

counts = st.integers(0, 10**6)
any_counters = st.builds(
    Counters,
    rows=counts,
    done=counts,
    accepted=counts,
    examples=counts,
    reused=counts,
    rejected=st.dictionaries(st.sampled_from(["empty", "timeout", "refused"]), counts),
    prompt_tokens=counts,
    completion_tokens=counts,
    requests=counts,
    with_reference=counts,
    labels=st.dictionaries(
        st.sampled_from(["A", "неясно", "😀"]),
        st.builds(LabelCounts, rows=counts, matching=counts),
    ),
)


@given(st.lists(any_counters, max_size=5), st.lists(any_counters, max_size=5))
def test_a_total_does_not_depend_on_how_it_is_summed(
    some: list[Counters], others: list[Counters]
) -> None:
    assert total([total(some), total(others)]) == total([*others, *some])


@given(any_counters, st.booleans())
def test_counters_survive_as_metadata_and_count_its_shard(counters: Counters, sealed: bool) -> None:
    metadata = counters.to_metadata(sealed=sealed)
    assert all(value.isascii() for value in metadata.values())
    read = Counters.from_metadata(metadata)
    assert read == counters.model_copy(update={"shards": 1, "shards_done": int(sealed)})
    assert is_sealed(metadata) is sealed


def test_a_journal_that_has_no_metadata_yet_is_a_shard_without_rows() -> None:
    assert Counters.from_metadata({}) == Counters(shards=1)
    assert not is_sealed({})


def test_every_row_is_accepted_or_rejected_or_the_counts_do_not_add_up() -> None:
    assert Counters(rows=3, done=3, accepted=1, rejected={"empty": 2}).adds_up
    assert not Counters(rows=3, done=3, accepted=1, rejected={"empty": 1}).adds_up
    assert not Counters(rows=4, done=3, accepted=1, rejected={"empty": 2}).adds_up


def test_any_number_of_labels_fits_into_the_metadata_of_a_blob() -> None:
    counters = Counters(rows=5000)
    for number in range(5000):
        counters.count_reference(f"{number:04}" + "😀" * 90, agrees=True)
    counters.labels = bounded_labels(counters.labels)
    assert sum(map(len, counters.to_metadata(sealed=True).values())) < 8000


def test_of_many_labels_the_most_frequent_are_shown_and_none_is_lost() -> None:
    parts: list[Counters] = []
    for shard in range(4):
        counters = Counters()
        for number in range(30):
            counters.count_reference(f"label {shard} {number}", agrees=number % 2 == 0)
        for _ in range(5):
            counters.count_reference("frequent", agrees=False)
        counters.labels = bounded_labels(counters.labels)
        parts.append(counters)
    labels = total(parts).labels
    assert len(labels) <= MAX_LABELS + 1
    assert labels["frequent"] == LabelCounts(rows=20, matching=0)
    assert sum(counts.rows for counts in labels.values()) == 4 * 35
    assert sum(counts.matching for counts in labels.values()) == 4 * 15
    assert OTHER_LABELS in labels


def test_accepted_rows_are_counted_by_round_and_model_within_the_metadata() -> None:
    counters = Counters()
    for number in range(20):
        counters.count_teacher(1, f"modèle-{number}")
    counters.count_teacher(0, None)
    counters.count_teacher(1, "modèle-0")
    read = Counters.from_metadata(counters.to_metadata(sealed=True))
    both = list(total([read, read]).accepted_by_teacher())
    assert sum(rows for _, _, rows in both) == 2 * 22
    assert (1, "mod?le-0", 4) in both
    assert {round_ for round_, _, _ in both} == {0, 1}
    assert len(read.teachers) <= MAX_TEACHERS + 2
