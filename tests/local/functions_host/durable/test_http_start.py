"""`POST …/orchestrators/{name}[/{id}]`: starts, refusals, and the links in the answer."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tests.support.durable_host import Api, HostProcess

LINKS = {
    "id",
    "statusQueryGetUri",
    "sendEventPostUri",
    "terminatePostUri",
    "purgeHistoryDeleteUri",
    "restartPostUri",
    "suspendPostUri",
    "resumePostUri",
}


async def test_a_start_answers_202_with_links_that_hold_the_key(
    api: Api, host: HostProcess
) -> None:
    answer = await api.ask("POST", "orchestrators/greet", json='["Ann"]')
    links = answer.body
    assert answer.status == 202
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["Location"] == links["statusQueryGetUri"]
    assert links.keys() == LINKS
    assert len(links["id"]) == 32
    where = urlsplit(str(links["statusQueryGetUri"]))
    assert f"{where.scheme}://{where.netloc}" == host.url
    assert where.path == f"/runtime/webhooks/durabletask/instances/{links['id']}"
    query = {
        "taskHub": ["HubOfTests"],
        "connection": ["Storage"],
        "code": [host.keys["system_key"]],
    }
    assert parse_qs(where.query) == query
    assert (await api.wait(links["id"]))["output"] == "Hello Ann!"


async def test_every_link_needs_nothing_but_itself(api: Api) -> None:
    links = await api.start("waits")
    assert (await api.plain("GET", links["statusQueryGetUri"])).status == 202
    for link in ("suspendPostUri", "resumePostUri", "terminatePostUri"):
        assert (await api.plain("POST", links[link].replace("{text}", "a reason"))).status == 202
    assert (await api.wait(links["id"]))["output"] == "a reason"
    assert (await api.plain("POST", links["restartPostUri"])).status == 202
    assert (await api.plain("DELETE", links["purgeHistoryDeleteUri"])).body == {
        "instancesDeleted": 1
    }
    again = await api.start("waits")
    event = again["sendEventPostUri"].replace("{eventName}", "go")
    assert (await api.plain("POST", event, json=1)).status == 202
    assert (await api.wait(again["id"]))["output"] == 1


async def test_an_app_starts_orchestrations_through_its_own_client(
    api: Api, host: HostProcess
) -> None:
    answer = await api.plain("POST", f"{host.url}/api/start/greet", json=["Ann", "Bob"])
    assert answer.status == 202
    assert answer.headers["Location"].startswith(
        f"{host.url}/runtime/webhooks/durabletask/instances/"
    )
    assert (await api.wait(answer.body["id"]))["output"] == "Hello Ann! Hello Bob!"


async def test_an_unknown_function_is_refused_with_those_that_are_known(api: Api) -> None:
    answer = await api.ask("POST", "orchestrators/great")
    assert answer.status == 400
    message = answer.body["ExceptionMessage"]
    assert "The function 'great' doesn't exist" in message
    assert message.endswith("crowd, echo, fails, greet, parent, waits, walk.")


async def test_a_body_that_is_no_json_is_refused(api: Api) -> None:
    answer = await api.ask("POST", "orchestrators/echo", data=b"{")
    assert answer.status == 400
    assert "Invalid JSON content" in answer.body["ExceptionMessage"]


async def test_no_more_activities_run_at_a_time_than_host_json_allows(api: Api) -> None:
    assert (await api.run("crowd", 12))["output"] == 4
