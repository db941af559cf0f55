"""Run ids: one a dataset version, in an alphabet that Durable, AzureML and blob storage all
take.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import NotFound
from shared.core.ids import RUN_ID, checked_run_id, named_run_id, random_run_id, upload_run_id

PATH = "datasets/nli/sample/train.jsonl"


def test_an_event_delivered_twice_gives_one_run_id() -> None:
    assert (
        upload_run_id(PATH, '"0x8DC"')
        == upload_run_id(PATH, "0x8DC")
        == upload_run_id(PATH, 'W/"0x8DC"')
    )


def test_a_new_version_gives_a_new_run_id() -> None:
    assert upload_run_id(PATH, "0x1") != upload_run_id(PATH, "0x2")


def test_a_run_id_tells_task_and_name() -> None:
    assert upload_run_id(PATH, "0x1").startswith("nli-sample-")
    assert upload_run_id("datasets/math/a/b/train.jsonl", "0x1").startswith("math-a-b-")


def test_runs_without_a_name_never_share_an_id() -> None:
    assert random_run_id("nli", "x") != random_run_id("nli", "x")


@given(name=st.text(max_size=300), etag=st.text(max_size=40))
def test_any_name_gives_an_allowed_run_id(name: str, etag: str) -> None:
    run_id = named_run_id("summarization", name, f"datasets/summarization/{name}/train.jsonl", etag)
    assert RUN_ID.fullmatch(run_id)


@given(st.text(max_size=120))
def test_only_a_run_id_passes(text: str) -> None:
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,99}", text, re.ASCII):
        assert checked_run_id(text) == text
    else:
        with pytest.raises(NotFound):
            checked_run_id(text)
