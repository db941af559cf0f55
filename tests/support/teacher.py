"""How the tests ask a teacher: the real SDK with its own retries off, or plain HTTP where bodies
must be wrong.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from local.emulators.teacher import RunningTeacher

REPOSITORY = Path(__file__).parents[2]
MODEL = "local-teacher"
Message = dict[str, str]


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def chat(system: str, text: str) -> list[Message]:
    return [{"role": "system", "content": system}, *user(text)]


async def complete(client: AsyncOpenAI, messages: list[Message], **settings: Any) -> ChatCompletion:
    """One completion by the SDK."""
    body = {"model": MODEL, "messages": messages, **settings}
    completion: Any = await cast(Any, client).chat.completions.create(**body)
    return cast(ChatCompletion, completion)


async def ask(client: AsyncOpenAI, messages: list[Message], **settings: Any) -> str:
    """The text of the first choice."""
    return (await complete(client, messages, **settings)).choices[0].message.content or ""


@asynccontextmanager
async def sdk(
    teacher: RunningTeacher, key: str = "any", timeout: float = 10
) -> AsyncGenerator[AsyncOpenAI]:
    url = teacher.base_url
    async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=timeout) as client:
        yield client


@asynccontextmanager
async def http(teacher: RunningTeacher, **headers: str) -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(teacher.base_url + "/", headers=headers) as session:
        yield session


async def post(
    session: aiohttp.ClientSession, body: object
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers (lower case) of one chat request."""
    async with session.post("chat/completions", json=body) as response:
        data: dict[str, Any] = {}
        if response.content_type == "application/json":
            data = json.loads(await response.read())
        return (
            response.status,
            data,
            {name.lower(): value for name, value in response.headers.items()},
        )


def body(text: str = "What is 2 + 3? Reply with an integer.", **settings: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": user(text), **settings}


def rows(path: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in path.read_text(encoding="utf-8-sig").splitlines()
        if line.strip()
    ]
