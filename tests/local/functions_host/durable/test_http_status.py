"""`GET …/instances/{id}`: status codes, every field, and history for people."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.durable_host import Api

FIELDS = {
    "name",
    "instanceId",
    "runtimeStatus",
    "input",
    "customStatus",
    "output",
    "createdTime",
    "lastUpdatedTime",
    "historyEvents",
}


async def history(api: Api, instance_id: str, **flags: str) -> list[dict[str, Any]]:
    answer = await api.ask(
        "GET", f"instances/{instance_id}", params={"showHistory": "true", **flags}
    )
    return answer.body["historyEvents"] or []  # None before it begins


async def test_a_running_instance_answers_202_and_where_to_ask_again(api: Api) -> None:
    links = await api.start("waits", {"a": 1})
    await api.wait(links["id"], "Running")
    answer = await api.plain("GET", links["statusQueryGetUri"])
    body = answer.body
    assert (answer.status, answer.headers["Retry-After"]) == (202, "5")
    assert answer.headers["Location"] == links["statusQueryGetUri"]
    assert body.keys() == FIELDS
    assert (body["name"], body["instanceId"], body["runtimeStatus"]) == (
        "waits",
        links["id"],
        "Running",
    )
    assert (body["input"], body["customStatus"], body["output"]) == (
        '{"a": 1}',
        {"waiting for": "go"},
        None,
    )
    assert body["historyEvents"] is None
    for time in ("createdTime", "lastUpdatedTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body[time])


async def test_a_completed_instance_answers_200_with_its_output(api: Api) -> None:
    started = await api.ask("POST", "orchestrators/echo", json={"a": [1, None]})
    await api.wait(started.body["id"])
    answer = await api.ask("GET", f"instances/{started.body['id']}")
    assert answer.status == 200
    assert "Location" not in answer.headers
    assert answer.body["runtimeStatus"] == "Completed"
    assert answer.body["input"] == answer.body["output"] == {"a": [1, None]}


async def test_an_unknown_instance_answers_404(api: Api) -> None:
    answer = await api.ask("GET", "instances/nobody")
    assert (answer.status, answer.body) == (404, None)


@pytest.mark.parametrize(
    ("flag", "shown"), [("false", None), ("true", '"text"'), ("maybe", '"text"')]
)
async def test_the_input_is_shown_unless_it_is_declined(
    api: Api, flag: str, shown: str | None
) -> None:
    done = await api.run("echo", "text")
    answer = await api.ask("GET", f"instances/{done['instanceId']}", params={"showInput": flag})
    assert answer.body["input"] == shown
    assert answer.body["output"] == "text"


async def test_history_tells_what_ran_and_when_without_the_hosts_own_events(api: Api) -> None:
    done = await api.run("greet", ["Ann"])
    started, called, completed = await history(api, done["instanceId"])
    assert started.keys() == {"EventType", "Timestamp", "Input", "FunctionName"}
    assert (started["EventType"], started["FunctionName"]) == ("ExecutionStarted", "greet")
    assert called.keys() == {"EventType", "Timestamp", "ScheduledTime", "FunctionName", "Input"}
    assert (called["EventType"], called["FunctionName"]) == ("TaskCompleted", "hello")
    assert called["ScheduledTime"] <= called["Timestamp"]
    assert completed.keys() == {"EventType", "Timestamp", "OrchestrationStatus"}
    assert (completed["EventType"], completed["OrchestrationStatus"]) == (
        "ExecutionCompleted",
        "Completed",
    )


async def test_history_has_results_where_they_are_asked_for(api: Api) -> None:
    done = await api.run("greet", ["Ann"])
    _, called, completed = await history(api, done["instanceId"], showHistoryOutput="true")
    assert called["Result"] == "Hello Ann!"
    assert completed["Result"] == "Hello Ann!"


async def test_history_of_a_parent_tells_of_its_child(api: Api) -> None:
    done = await api.run("parent")
    _, child, _ = await history(api, done["instanceId"], showHistoryOutput="true")
    assert (child["EventType"], child["FunctionName"]) == (
        "SubOrchestrationInstanceCompleted",
        "echo",
    )
    assert child["Result"] == "from the parent"


async def test_history_of_a_failure_says_why(api: Api) -> None:
    failed = await api.run("fails")
    completed = (await history(api, failed["instanceId"], showHistoryOutput="true"))[-1]
    assert completed["OrchestrationStatus"] == "Failed"
    assert "there is nobody" in completed["Result"]


async def test_history_shows_an_activity_that_still_runs_as_scheduled(
    api: Api, tmp_path: Any
) -> None:
    links = await api.start("walk", {"folder": str(tmp_path), "steps": 2})
    while [entry["EventType"] for entry in await history(api, links["id"])][1:] != [
        "TaskScheduled",
        "TaskCompleted",
    ]:
        assert await api.wait(links["id"], "Pending", "Running"), (
            "it waits for the folder to be opened"
        )
    (tmp_path / "open").touch()
    assert (await api.wait(links["id"]))["output"] == [0, 1]
