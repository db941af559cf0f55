"""A wrong app setting never loses an upload: its run fails and names the setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.runtime.cloud import LocalCloud
from local.runtime.options import CloudOptions
from local.runtime.ports import free_port
from tests.support.app import App, sums


@pytest.mark.slow
def test_an_upload_under_a_wrong_setting_leaves_a_failed_run(tmp_path: Path) -> None:
    options = CloudOptions(
        data_dir=tmp_path / "cloud", teacher_url="nowhere", teacher_model="local-teacher"
    )
    with LocalCloud(options, free_port()) as cloud:
        app = App(cloud.endpoints, tmp_path / "files")
        files = {"train.jsonl": app.write("train.jsonl", sums(50))}
        run_id = app.upload("math", "wrong-setting", files)
        view = app.ended(run_id)
        listed = app.run_ids("math-wrong-setting")
    assert (view["status"], view["error"]["code"]) == ("failed", "settings")
    assert [problem["where"] for problem in view["error"]["details"]] == ["TEACHER_BASE_URL"]
    assert listed == [run_id]
