"""The wire: what OpenAI's clients send is understood, and what the API would refuse is refused by
name.
"""

from __future__ import annotations

from typing import Any

import openai
import pytest

from local.emulators.teacher import TeacherOptions, serve
from local.emulators.teacher.tokens import TOKENS_PER_MESSAGE, TOKENS_PER_REQUEST, count, cut
from tests.support.teacher import MODEL, ask, body, chat, complete, http, post, sdk, user

TALK = "Tell me how to cook a soup."


async def test_the_sdk_lists_and_describes_the_model() -> None:
    async with serve() as teacher, sdk(teacher) as client:
        assert [model.id async for model in client.models.list()] == [MODEL]
        assert (await client.models.retrieve(MODEL)).id == MODEL
        with pytest.raises(openai.NotFoundError) as refused:
            await client.models.retrieve("gpt-none")
    assert refused.value.code == "model_not_found"


async def test_other_models_can_be_served_as_well() -> None:
    async with (
        serve(TeacherOptions(skills={"my-deployment": 0.7})) as teacher,
        sdk(teacher) as client,
    ):
        assert [model.id async for model in client.models.list()] == [MODEL, "my-deployment"]
        answered = await complete(client, user(TALK), model="my-deployment")
        assert answered.model == "my-deployment"
        with pytest.raises(openai.NotFoundError):
            await ask(client, user(TALK), model="another")


async def test_usage_follows_the_stated_count() -> None:
    async with serve() as teacher, sdk(teacher) as client:
        answered = await complete(client, chat("Be kind.", TALK))
    usage = answered.usage
    assert usage is not None
    assert usage.prompt_tokens == TOKENS_PER_REQUEST + 2 * TOKENS_PER_MESSAGE + count(
        "Be kind."
    ) + count(TALK)
    assert usage.completion_tokens == count(answered.choices[0].message.content or "")
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert answered.model == MODEL


def test_tokens_are_pieces_of_at_most_six_letters() -> None:
    assert count("") == 0
    assert count("cat") == 1
    assert count("elephants eat.") == 4
    assert cut("elephants eat.", 2) == "elephants"
    assert cut("cat", 9) == "cat"


async def test_max_tokens_really_cuts_the_answer() -> None:
    async with serve() as teacher, sdk(teacher) as client:
        for setting in ("max_tokens", "max_completion_tokens"):
            answered = await complete(client, user(TALK), **{setting: 5})
            assert answered.choices[0].finish_reason == "length"
            assert answered.usage is not None
            assert answered.usage.completion_tokens == 5


async def test_stop_sequences_really_end_the_answer() -> None:
    async with serve() as teacher, sdk(teacher) as client:
        whole = await ask(client, user(TALK))
        answered = await complete(client, user(TALK), stop=["never there", "canned"])
    assert "canned" in whole
    assert answered.choices[0].message.content == whole[: whole.index("canned")]
    assert answered.choices[0].finish_reason == "stop"


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"messages": None}, "messages", "invalid_type"),
    ({"messages": []}, "messages", "invalid_value"),
    ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role", "invalid_value"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content", "invalid_type"),
    ({"temperature": 2.5}, "temperature", "number_above_max_value"),
    ({"temperature": "hot"}, "temperature", "invalid_type"),
    ({"top_p": -1}, "top_p", "number_below_min_value"),
    ({"n": 2}, "n", "invalid_value"),
    ({"max_tokens": 0}, "max_tokens", "number_below_min_value"),
    ({"max_tokens": 9, "max_completion_tokens": 9}, "max_tokens", "invalid_parameter_combination"),
    ({"max_new_tokens": 9}, "max_new_tokens", "unknown_parameter"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "invalid_value"),
    ({"stream": True}, "stream", "unsupported_parameter"),
    ({"tools": [{}]}, "tools", "unsupported_parameter"),
    ({"seed": "one"}, "seed", "invalid_type"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value"),
    ({"response_format": {"type": "json_object"}}, "messages", "invalid_value"),
    (
        {"response_format": {"type": "json_schema"}},
        "response_format.json_schema",
        "missing_required_parameter",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}},
        "response_format.json_schema.schema",
        "unsupported_parameter",
    ),
]


@pytest.mark.parametrize(("change", "param", "code"), BAD)
async def test_bad_bodies_are_refused_with_the_field_at_fault(
    change: dict[str, Any], param: str, code: str
) -> None:
    async with serve() as teacher, http(teacher) as session:
        status, answered, _ = await post(session, body() | change)
    assert status == 400
    error = answered["error"]
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")
    assert param.split(".")[-1].split("[")[0] in error["message"]


async def test_a_missing_field_is_called_missing() -> None:
    async with serve() as teacher, http(teacher) as session:
        status, answered, _ = await post(session, {"model": MODEL})
    assert status == 400
    assert answered["error"]["message"] == "Missing required parameter: 'messages'."


async def test_what_is_no_json_object_is_refused() -> None:
    async with serve() as teacher, http(teacher) as session:
        assert (await post(session, ["not", "an", "object"]))[0] == 400
        async with session.post("chat/completions", data=b"{broken") as response:
            assert response.status == 400
            assert (await response.json())["error"]["code"] == "invalid_json"


async def test_unknown_paths_and_models_are_404_in_the_shape_of_the_api() -> None:
    async with serve() as teacher, http(teacher) as session:
        status, answered, _ = await post(session, body(model="gpt-none"))
        assert (status, answered["error"]["code"]) == (404, "model_not_found")
        async with session.post("chat/completions/chat/completions", json=body()) as response:
            assert response.status == 404
            assert "/v1/chat/completions" in (await response.json())["error"]["message"]


async def test_the_key_is_demanded_in_either_header_and_never_logged() -> None:
    options = TeacherOptions(api_key="right-key")
    assert "right-key" not in repr(options)
    async with serve(options) as teacher:
        for headers, expected in (
            ({"Authorization": "Bearer right-key"}, 200),
            ({"api-key": "right-key"}, 200),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"api-key": ""}, 401),
            ({}, 401),
        ):
            async with http(teacher, **headers) as session:
                assert (await post(session, body()))[0] == expected
                async with session.get("models") as response:
                    assert response.status == expected
        async with sdk(teacher, key="wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await ask(client, user(TALK))
        assert "right-key" not in str(teacher.records)


async def test_the_azure_prefix_answers_too() -> None:
    async with serve() as teacher, http(teacher) as session:
        address = teacher.base_url.replace("/v1", "/openai/v1/chat/completions?api-version=preview")
        async with session.post(address, json=body()) as response:
            assert response.status == 200
            assert response.headers["x-request-id"]


async def test_health_needs_no_key() -> None:
    async with serve(TeacherOptions(api_key="k")) as teacher, http(teacher) as session:
        response = await session.get("/healthz")
        assert response.status == 200
        assert (await response.json())["status"] == "ok"


async def test_messages_in_parts_are_read() -> None:
    parts = [{"type": "text", "text": "Ann has 2 pens and buys 3 more. How many pens are there?"}]
    messages = [
        {"role": "developer", "content": "Answer with an integer."},
        {"role": "user", "content": parts},
    ]
    async with serve() as teacher, http(teacher) as session:
        _, answered, _ = await post(session, {"model": MODEL, "messages": messages})
    assert answered["choices"][0]["message"]["content"] == "5"


async def test_scripted_answers_replace_the_key() -> None:
    async with (
        serve(answer=lambda request: request.messages[-1].text[::-1]) as teacher,
        sdk(teacher) as client,
    ):
        assert await ask(client, user("abc")) == "cba"
