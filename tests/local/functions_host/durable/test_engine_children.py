"""Sub-orchestrations under the engine: results, failures, ids, and ends from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.functions_host.durable.events import Status
from tests.support.durable_hub import failure, output, running, until
from tests.support.durable_simulation import Orchestrator, Steps


def calling(child: str, payload: Any = None, instance_id: str | None = "child") -> Orchestrator:
    """A parent of one child that returns the child's result, or the failure it learns of."""

    def parent(context: Any) -> Steps:
        try:
            return (yield context.call_sub_orchestrator(child, payload, instance_id))
        except Exception as error:
            return f"the child failed: {error}"

    return parent


def echo(context: Any) -> Any:
    return {"input": context.get_input(), "parent": context.parent_instance_id}


def breaks(context: Any) -> Steps:
    yield from ()
    raise ValueError("no rows")


def waits(context: Any) -> Steps:
    return (yield context.wait_for_external_event("go"))


async def test_a_child_gets_its_input_and_gives_its_result(tmp_path: Path) -> None:
    async with running(tmp_path, {"parent": calling("echo", {"shard": 3}), "echo": echo}) as hub:
        ended = await hub.run("parent", instance_id="its-parent")
        child = hub.client.get("child")
    assert output(ended) == {"input": {"shard": 3}, "parent": "its-parent"}
    assert (child.name, child.status) == ("echo", Status.COMPLETED)


async def test_a_child_without_an_id_is_numbered_by_its_parents_execution(tmp_path: Path) -> None:
    async with running(tmp_path, {"parent": calling("echo", None, None), "echo": echo}) as hub:
        parent = await hub.run("parent")
        assert hub.client.get(f"{parent.execution_id}:00000000").status is Status.COMPLETED


async def test_a_child_that_fails_is_an_exception_in_its_parent(tmp_path: Path) -> None:
    async with running(tmp_path, {"parent": calling("breaks"), "breaks": breaks}) as hub:
        reason = output(await hub.run("parent"))
        child = hub.client.get("child")
    assert failure(child) == "Orchestrator function 'breaks' failed: no rows"
    assert "the child failed: Orchestrator function 'breaks' failed: no rows" in reason


async def test_an_unknown_child_is_a_failure_that_the_parent_can_take(tmp_path: Path) -> None:
    async with running(tmp_path, {"parent": calling("ecko"), "echo": echo}) as hub:
        assert "the function 'ecko' doesn't exist" in output(await hub.run("parent"))
        assert hub.store.instance("child") is None


async def test_a_child_that_runs_already_is_not_replaced(tmp_path: Path) -> None:
    async with running(tmp_path, {"parent": calling("waits"), "waits": waits}) as hub:
        hub.start("waits", instance_id="child")
        await hub.has("child", Status.RUNNING)
        problem = output(await hub.run("parent"))
        assert "an orchestration with the id child is already running" in problem
        hub.raise_event("child", "go", "undisturbed")
        assert output(await hub.ended("child")) == "undisturbed"


async def test_children_run_beside_each_other(tmp_path: Path) -> None:
    def parent(context: Any) -> Steps:
        children = [
            context.call_sub_orchestrator("waits", None, f"child-{number}") for number in range(3)
        ]
        return (yield context.task_all(children))

    async with running(tmp_path, {"parent": parent, "waits": waits}) as hub:
        instance_id = hub.start("parent")
        for number in (2, 0, 1):
            await hub.has(f"child-{number}", Status.RUNNING)
            hub.raise_event(f"child-{number}", "go", number)
        assert output(await hub.ended(instance_id)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("reason", "message"), [("too slow", "too slow"), ("", "child was terminated")]
)
async def test_a_parent_learns_that_its_child_was_terminated(
    tmp_path: Path, reason: str, message: str
) -> None:
    async with running(tmp_path, {"parent": calling("waits"), "waits": waits}) as hub:
        instance_id = hub.start("parent")
        await hub.has("child", Status.RUNNING)
        hub.client.terminate("child", reason)
        assert message in output(await hub.ended(instance_id))


async def test_children_of_a_terminated_parent_go_on(tmp_path: Path) -> None:
    async with running(tmp_path, {"parent": calling("waits"), "waits": waits}) as hub:
        instance_id = hub.start("parent")
        await hub.has("child", Status.RUNNING)
        hub.client.terminate(instance_id, "enough")
        assert (await hub.ended(instance_id)).status is Status.TERMINATED
        hub.raise_event("child", "go", "still here")
        assert output(await hub.ended("child")) == "still here"
        await until(lambda: not hub.store.ready(0.0))
        assert hub.client.get(instance_id).status is Status.TERMINATED
