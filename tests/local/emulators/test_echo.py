"""Hostile emulators quote every key: one can see with them that keys get no further."""

from __future__ import annotations

import json
from typing import Any, cast

import aiohttp

from local.emulators.azure_openai.options import EmulatorOptions
from local.emulators.azure_openai.server import serve as serve_azure_openai
from local.emulators.echo import spellings
from local.emulators.teacher import TeacherOptions
from local.emulators.teacher import serve as serve_teacher

KEY = "a+key/of=ours-0123"
CHAT: dict[str, Any] = {
    "model": "local-teacher",
    "messages": [{"role": "user", "content": "What is 1 + 1?"}],
}


async def _ask(url: str, body: dict[str, Any]) -> tuple[str, str]:
    """Return what is answered, decoded and as one text, and the headers."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=body, headers=headers) as answer,
    ):
        texts = json.loads(await answer.read())
        return str(_texts(texts)), str(dict(answer.headers))


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for item in cast(list[Any], value) for text in _texts(item)]
    if isinstance(value, dict):
        items = cast(dict[str, Any], value).values()
        return [text for item in items for text in _texts(item)]
    return [value] if isinstance(value, str) else []


async def test_hostile_emulators_quote_keys_in_answers_errors_and_headers() -> None:
    async with serve_teacher(TeacherOptions(echo_rate=1)) as teacher:
        url = f"{teacher.base_url}/chat/completions"
        answered = await _ask(url, CHAT)
        refused = await _ask(url, {**CHAT, "model": "unknown"})
    async with serve_azure_openai(EmulatorOptions(echo_keys=True)) as base_url:
        failed = await _ask(f"{base_url}/fine_tuning/jobs", {})
    for body, headers in (answered, refused, failed):
        assert KEY in headers
        assert all(str([spelled])[2:-2] in body for spelled in spellings(KEY))


async def test_emulators_are_not_hostile_unless_they_are_told_to_be() -> None:
    async with serve_teacher(TeacherOptions()) as teacher:
        body, headers = await _ask(f"{teacher.base_url}/chat/completions", CHAT)
    assert KEY not in body + headers
