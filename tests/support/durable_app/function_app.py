"""The app of these tests: orchestrators, activities, and HTTP functions with a durable client."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import azure.durable_functions as df
import azure.functions as func

PATIENCE_SECONDS = 60.0


class Place(dict[str, Any]):
    """`{folder, number}`. A class, as Azure's worker takes no `dict[str, Any]`."""


app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
now_running = 0


@app.orchestration_trigger(context_name="context")
def greet(context: Any) -> Generator[Any, Any, Any]:
    greetings = yield context.task_all(
        [context.call_activity("hello", name) for name in context.get_input()]
    )
    return " ".join(greetings)


@app.orchestration_trigger(context_name="context")
def waits(context: Any) -> Generator[Any, Any, Any]:
    context.set_custom_status({"waiting for": "go"})
    return (yield context.wait_for_external_event("go"))


@app.orchestration_trigger(context_name="context")
def fails(context: Any) -> Generator[Any, Any, Any]:
    yield context.call_activity("hello", "nobody")
    raise ValueError("there is nobody")


@app.orchestration_trigger(context_name="context")
def echo(context: Any) -> Any:
    return context.get_input()


@app.orchestration_trigger(context_name="context")
def parent(context: Any) -> Generator[Any, Any, Any]:
    return (
        yield context.call_sub_orchestrator(
            "echo", "from the parent", f"{context.instance_id}-child"
        )
    )


@app.orchestration_trigger(context_name="context")
def walk(context: Any) -> Generator[Any, Any, Any]:
    """`{folder, steps}`: run that many activities; the odd ones wait for a file `open` there."""
    settings = context.get_input()
    steps = [
        {"folder": settings["folder"], "number": number} for number in range(settings["steps"])
    ]
    return (yield context.task_all([context.call_activity("step", place) for place in steps]))


@app.orchestration_trigger(context_name="context")
def crowd(context: Any) -> Generator[Any, Any, Any]:
    """How many of so many activities were running at most."""
    together = yield context.task_all(
        [context.call_activity("stay", None) for _ in range(context.get_input())]
    )
    return max(together)


@app.activity_trigger(input_name="name")
def hello(name: str) -> str:
    return f"Hello {name}!"


@app.activity_trigger(input_name="place")
def step(place: Place) -> int:
    folder = Path(place["folder"])
    number = int(place["number"])
    (folder / f"{number}.{os.getpid()}").touch()
    give_up = time.monotonic() + PATIENCE_SECONDS
    while number % 2 and not (folder / "open").exists() and time.monotonic() < give_up:
        time.sleep(0.01)
    return number


@app.activity_trigger(input_name="nothing")
async def stay(nothing: str) -> int:
    global now_running
    now_running += 1
    await asyncio.sleep(0.02)
    together = now_running
    now_running -= 1
    return together


@app.route(route="start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new(req.route_params["name"], client_input=req.get_json())
    return client.create_check_status_response(req, instance_id)


@app.route(route="binding", methods=["GET"])
@cast(Any, app).generic_input_binding(arg_name="client", type="durableClient")
def binding(req: func.HttpRequest, client: str) -> str:
    """What the durable client's binding gives, so that a test can have a client of its own."""
    return client
