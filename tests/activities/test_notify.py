"""Notifications: signed, sent to the one address that is set, which nobody else learns."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.core.logs import redact_logs
from shared.runs import instances, webhook
from shared.runs.contracts import ANNOUNCE_END, NOTIFY, SEND_NOTIFICATION
from shared.runs.status import RunStatus
from tests.activities.conftest import Configure
from tests.support.activities import DurableClient, call
from tests.support.receiver import Receiver, receiving

RUN_ID = "math-sums-0123456789ab"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "qT7c/xR4vZ9bK2mW5"
DOCS = Path(__file__).parents[2] / "docs" / "notifications.md"


class EndingClient(DurableClient):
    """Durable's client of a run that ends once it was looked at."""

    async def get_status(self, instance_id: str, *, show_input: bool = False) -> Any:
        status = await super().get_status(instance_id, show_input=show_input)
        self.statuses[instance_id] = {"runtimeStatus": "Completed"}
        return status


def end(outcome: str = "completed", **status: Any) -> dict[str, Any]:
    shown = RunStatus.model_validate(
        {"task": "math", "name": "sums", "stage": "done", "outcome": outcome, **status}
    )
    finished = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC).isoformat()
    status = shown.model_dump(mode="json")
    return {"run_id": RUN_ID, "round": 2, "status": status, "finished": finished}


async def notification(**fields: Any) -> dict[str, Any]:
    """Return what the orchestration is given for a run that has ended."""
    client = DurableClient()
    await call(ANNOUNCE_END, end(**fields), client)
    ((name, instance_id, payload),) = client.started
    assert (name, instance_id) == (NOTIFY, f"{RUN_ID}:notify:2")
    return payload


@pytest.fixture
def notified(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """An app in which every other setting is missing."""
    monkeypatch.setattr(instances, "END_SECONDS", 0.3)
    monkeypatch.setenv("WEBSITE_HOSTNAME", "x.azurewebsites.net")
    configure(NOTIFY_URL="https://nobody.example", NOTIFY_SECRET=SECRET)
    return configure


def address(receiver: Receiver) -> str:
    return f"{receiver.url}/services/T0/{TOKEN}?sig={TOKEN}%2Bend"


async def test_without_a_receiver_nothing_is_started(configure: Configure) -> None:
    client = DurableClient()
    configure()
    assert await call(ANNOUNCE_END, end(), client) == {"status": "ok"}
    assert client.started == []
    assert await call(SEND_NOTIFICATION, {"run_id": RUN_ID, "event": {"id": "e"}}) == {
        "status": "off"
    }


async def test_an_end_is_announced_once_although_the_activity_is_repeated(
    notified: Configure,
) -> None:
    client = DurableClient()
    await call(ANNOUNCE_END, end(), client)
    client.statuses[f"{RUN_ID}:notify:2"] = {"runtimeStatus": "Running"}
    await call(ANNOUNCE_END, end(), client)
    assert len(client.started) == 1


async def test_half_a_pair_of_settings_is_named_with_its_remedy(notified: Configure) -> None:
    notified(NOTIFY_SECRET=None)
    failure = await call(ANNOUNCE_END, end())
    assert failure["error"]["code"] == "settings"
    [problem] = failure["error"]["details"]
    assert (problem["where"], "set it to whsec_" in problem["problem"]) == ("NOTIFY_SECRET", True)


async def test_the_event_is_a_cloudevent_that_says_how_the_run_has_ended(
    notified: Configure,
) -> None:
    error = {
        "code": "budget",
        "message": "the budget is used up",
        "details": [{"where": "budget.max_requests", "problem": "is 5: raise it"}],
    }
    splits = {"train": {"rows": 9, "accepted": 7, "rejected": 1}}
    event = (await notification(outcome="failed", error=error, splits=splits, cost=1.5))["event"]
    assert event == {
        "specversion": "1.0",
        "id": f"{RUN_ID}:2:failed:20260102T030405Z",
        "source": "https://x.azurewebsites.net/api/runs",
        "type": "distillation.run.failed",
        "subject": RUN_ID,
        "time": "2026-01-02T03:04:05Z",
        "datacontenttype": "application/json",
        "data": {
            "run": RUN_ID,
            "task": "math",
            "name": "sums",
            "round": 2,
            "status": "failed",
            "stage": "done",
            "error": error,
            "warnings": [],
            "splits": splits,
            "requests": 0,
            "tokens": {"prompt": 0, "completion": 0},
            "cost": 1.5,
            "models": [],
            "links": {"self": f"https://x.azurewebsites.net/api/runs/{RUN_ID}"},
        },
    }


async def test_what_is_sent_is_verified_by_the_code_in_the_docs(notified: Configure) -> None:
    code = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102
    payload = await notification(name="süß")
    async with receiving() as receiver:
        for secret in (SECRET, "a plain text of 24 or more"):
            notified(NOTIFY_URL=address(receiver), NOTIFY_SECRET=secret)
            assert await call(SEND_NOTIFICATION, payload) == {"status": "ok"}
            headers, body = receiver.received[-1]
            lower = {name.lower(): value for name, value in headers.items()}
            names["verify"](secret, lower, body)
            with pytest.raises(ValueError, match="signature"):
                names["verify"](secret, lower, body.replace(b"completed", b"cancelled"))
            with pytest.raises(ValueError, match="signature"):
                names["verify"](SECRET[::-1], lower, body)
            with pytest.raises(ValueError, match="old"):
                names["verify"](secret, {**lower, "webhook-timestamp": "1"}, body)
            assert lower["content-type"] == "application/cloudevents+json"
            assert lower["webhook-id"] == json.loads(body)["id"]
            assert json.loads(body) == payload["event"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (500, "NOTIFY_URL answered 500"),
        (404, "NOTIFY_URL answered 404"),
        (302, "NOTIFY_URL answered 302: redirects aren't followed"),
        (None, "NOTIFY_URL didn't answer within"),
    ],
)
async def test_what_is_not_taken_is_an_error_that_names_the_setting_alone(
    notified: Configure,
    answer: int | None,
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    redact_logs()
    caplog.set_level(logging.DEBUG)
    payload = await notification()
    seconds = 0
    if answer is None:
        seconds = 10
        monkeypatch.setattr(webhook, "SEND_SECONDS", 0.2)
    async with receiving(answer or 204, seconds=seconds) as receiver:
        notified(NOTIFY_URL=address(receiver))
        failure = await call(SEND_NOTIFICATION, payload)
    assert failure["error"]["message"].startswith(problem)
    assert len(receiver.received) <= 1  # a redirect leads nowhere
    for text in (caplog.text, str(failure), str(payload)):
        assert TOKEN not in text
        assert SECRET[6:] not in text


async def test_a_receiver_that_is_down_is_named_by_host_and_port(notified: Configure) -> None:
    async with receiving() as receiver:
        notified(NOTIFY_URL=address(receiver))
    failure = await call(SEND_NOTIFICATION, await notification())
    message = failure["error"]["message"]
    assert message.startswith("NOTIFY_URL can't be reached: no connection to 127.0.0.1")
    assert TOKEN not in message


async def test_a_receiver_that_is_gone_is_sent_nothing_more(notified: Configure) -> None:
    async with receiving(410) as receiver:
        notified(NOTIFY_URL=receiver.url)
        assert await call(SEND_NOTIFICATION, await notification()) == {"status": "gone"}


async def test_who_looks_at_the_run_when_notified_finds_that_it_has_ended(
    notified: Configure,
) -> None:
    client = EndingClient({RUN_ID: {"runtimeStatus": "Running"}})
    async with receiving() as receiver:
        notified(NOTIFY_URL=receiver.url)
        await call(SEND_NOTIFICATION, await notification(), client)
    assert client.statuses[RUN_ID] == {"runtimeStatus": "Completed"}
    assert len(receiver.received) == 1
