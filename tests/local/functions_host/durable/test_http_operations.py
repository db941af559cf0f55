"""Events, termination, suspension, restart and purge over HTTP, to instances in every state."""

from __future__ import annotations

import pytest

from tests.support.durable_host import Api

OPERATIONS = ("raiseEvent/go", "terminate", "suspend", "resume")


async def test_an_event_without_data_is_null(api: Api) -> None:
    links = await api.start("waits")
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert (
        await api.ask("POST", f"instances/{links['id']}/raiseEvent/go", headers=headers)
    ).status == 202
    assert (await api.wait(links["id"]))["output"] is None


async def test_an_event_must_be_json(api: Api) -> None:
    links = await api.start("waits")
    text = await api.ask("POST", f"instances/{links['id']}/raiseEvent/go", data=b"yes")
    assert (text.status, text.body["Message"]) == (
        400,
        "Only application/json request content is supported",
    )
    headers = {"Content-Type": "application/json"}
    broken = await api.ask(
        "POST", f"instances/{links['id']}/raiseEvent/go", data=b"{", headers=headers
    )
    assert broken.status == 400
    assert "Invalid JSON content" in broken.body["ExceptionMessage"]
    assert (await api.ask("GET", f"instances/{links['id']}")).status == 202


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_does_not_exist_answers_404(api: Api, operation: str) -> None:
    assert (await api.ask("POST", f"instances/nobody/{operation}", json=1)).status == 404


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_has_ended_answers_410(api: Api, operation: str) -> None:
    done = await api.run("echo", 1)
    assert (
        await api.ask("POST", f"instances/{done['instanceId']}/{operation}", json=1)
    ).status == 410
    assert (await api.ask("GET", f"instances/{done['instanceId']}")).body == done


@pytest.mark.parametrize("params", [{}, {"restartWithNewInstanceId": "true"}])
async def test_a_restart_has_an_id_of_its_own_and_the_same_input(
    api: Api, params: dict[str, str]
) -> None:
    done = await api.run("echo", {"a": 1})
    answer = await api.ask("POST", f"instances/{done['instanceId']}/restart", params=params)
    assert answer.status == 202
    assert answer.body["id"] != done["instanceId"]
    assert answer.headers["Location"] == answer.body["statusQueryGetUri"]
    again = await api.wait(answer.body["id"])
    assert (again["input"], again["output"]) == (done["input"], done["output"])
    assert (await api.ask("GET", f"instances/{done['instanceId']}")).body == done


async def test_a_restart_may_take_the_place_of_the_instance(api: Api) -> None:
    failed = await api.run("fails")
    params = {"restartWithNewInstanceId": "false"}
    answer = await api.ask("POST", f"instances/{failed['instanceId']}/restart", params=params)
    assert (answer.status, answer.body["id"]) == (202, failed["instanceId"])
    assert (await api.wait(failed["instanceId"]))["runtimeStatus"] == "Failed"


async def test_a_restart_does_not_replace_what_runs(api: Api) -> None:
    links = await api.start("waits")
    answer = await api.ask(
        "POST", f"instances/{links['id']}/restart", params={"restartWithNewInstanceId": "false"}
    )
    assert answer.status == 409


async def test_a_restart_of_nothing_is_refused(api: Api) -> None:
    answer = await api.ask("POST", "instances/nobody/restart")
    assert answer.status == 400
    assert answer.body["Message"] == "InstanceId does not match a valid orchestration instance."


async def test_a_purged_instance_is_gone(api: Api) -> None:
    done = await api.run("echo", 1)
    answer = await api.ask("DELETE", f"instances/{done['instanceId']}")
    assert (answer.status, answer.body) == (200, {"instancesDeleted": 1})
    assert (await api.ask("GET", f"instances/{done['instanceId']}")).status == 404
    assert (await api.ask("DELETE", f"instances/{done['instanceId']}")).status == 404


async def test_a_running_instance_is_not_purged(api: Api) -> None:
    links = await api.start("waits")
    answer = await api.ask("DELETE", f"instances/{links['id']}")
    assert (answer.status, answer.body) == (200, {"instancesDeleted": 0})
    assert (await api.ask("GET", f"instances/{links['id']}")).status == 202
