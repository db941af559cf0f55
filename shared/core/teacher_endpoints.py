"""TEACHER_ENDPOINTS: several deployments of one teacher, as JSON.

`[{"base_url": "https://…/openai/v1", "model": "deployment", "api_key_setting": "KEY_1"}, …]`. Keys
stay in app settings of their own, which can be Key Vault references.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from pydantic import BaseModel, ConfigDict, SecretStr

from shared.core.errors import Problem
from shared.core.setting_values import (
    URL_PROBLEM,
    is_http_url,
    key_problem,
    normalise_base_url,
    setting_text,
)

TEACHER_ENDPOINTS = "TEACHER_ENDPOINTS"
TEACHER_BASE_URL = "TEACHER_BASE_URL"
TEACHER_API_KEY = "TEACHER_API_KEY"
TEACHER_MODEL = "TEACHER_MODEL"
MAX_ENDPOINTS = 16
KEYS = ("base_url", "model", "api_key_setting")
Entry = Mapping[str, object]


class TeacherEndpoint(BaseModel):
    """One deployment of the teacher. Without a key, Entra ID is used."""

    model_config = ConfigDict(frozen=True)

    base_url: str
    model: str | None = None  # the deployment's name, where it isn't TEACHER_MODEL
    api_key: SecretStr | None = None
    url_setting: str = TEACHER_BASE_URL  # the place of its URL, for messages
    key_setting: str = TEACHER_API_KEY


def endpoint_problems(environ: Mapping[str, str]) -> list[Problem]:
    """Return what is wrong with TEACHER_ENDPOINTS, each problem with its place."""
    text = setting_text(environ, TEACHER_ENDPOINTS)
    if text is None:
        return []
    entries = _entries(text)
    if isinstance(entries, str):
        return [{"where": TEACHER_ENDPOINTS, "problem": entries}]
    problems: list[Problem] = []
    if setting_text(environ, TEACHER_BASE_URL) is not None:
        problem = (
            f"is one deployment, and {TEACHER_ENDPOINTS} lists all of them: remove one of both"
        )
        problems.append({"where": TEACHER_BASE_URL, "problem": problem})
    places: dict[str, str] = {}
    for number, entry in enumerate(entries):
        place = f"{TEACHER_ENDPOINTS}.{number}"
        problems += _entry_problems(environ, entry, place)
        same = places.setdefault(_deployment(environ, entry), place)
        if same != place:
            problems.append({"where": place, "problem": f"is the same as {same}: remove it"})
    return problems


def read_endpoints(environ: Mapping[str, str]) -> tuple[TeacherEndpoint, ...]:
    """Return the deployments in TEACHER_ENDPOINTS, none without it. It must have no problems."""
    entries = _entries(setting_text(environ, TEACHER_ENDPOINTS) or "")
    if isinstance(entries, str):
        return ()
    endpoints: list[TeacherEndpoint] = []
    for number, entry in enumerate(entries):
        key_setting = str(entry.get("api_key_setting") or TEACHER_API_KEY)
        key = setting_text(environ, key_setting)
        model = entry.get("model")
        endpoint = TeacherEndpoint(
            base_url=normalise_base_url(str(entry["base_url"])),
            model=str(model) if model else None,
            api_key=SecretStr(key) if key else None,
            url_setting=f"{TEACHER_ENDPOINTS}.{number}",
            key_setting=key_setting,
        )
        endpoints.append(endpoint)
    return tuple(endpoints)


def key_names(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the settings with the deployments' keys, as far as they can be read."""
    entries = _entries(setting_text(environ, TEACHER_ENDPOINTS) or "")
    if isinstance(entries, str):
        return []
    return [name for entry in entries if isinstance(name := entry.get("api_key_setting"), str)]


def _entries(text: str) -> list[Entry] | str:
    """Return the objects in a JSON list, or why the text isn't one."""
    form = 'must be a JSON list such as [{"base_url": "https://x.openai.azure.com/openai/v1"}]'
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return form
    values = cast(list[object], value) if isinstance(value, list) else []
    if not values or not all(isinstance(entry, dict) for entry in values):
        return form
    if len(values) > MAX_ENDPOINTS:
        return f"has {len(values)} deployments, but may have {MAX_ENDPOINTS} at most"
    return cast(list[Entry], values)


def _deployment(environ: Mapping[str, str], entry: Entry) -> str:
    """Return what tells a deployment from others, however its entry is written."""
    url = normalise_base_url(str(entry.get("base_url")))
    model = entry.get("model") or setting_text(environ, TEACHER_MODEL)
    return json.dumps([url, model])


def _entry_problems(environ: Mapping[str, str], entry: Entry, place: str) -> list[Problem]:
    problems: list[Problem] = []
    for key in entry:
        if key not in KEYS:
            problem = (
                f"isn't known: use {', '.join(KEYS)}. Keys belong in app settings of their own"
            )
            problems.append({"where": f"{place}.{key}", "problem": problem})
    base_url = entry.get("base_url")
    if not isinstance(base_url, str) or not is_http_url(base_url.strip()):
        problems.append({"where": f"{place}.base_url", "problem": URL_PROBLEM})
    for key in KEYS[1:]:
        value = entry.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            problems.append({"where": f"{place}.{key}", "problem": "must be a text"})
    key_setting = entry.get("api_key_setting")
    if isinstance(key_setting, str) and key_setting.strip():
        problems += _key_problems(environ, key_setting, f"{place}.api_key_setting")
    return problems


def _key_problems(environ: Mapping[str, str], name: str, place: str) -> list[Problem]:
    # the name isn't repeated: it may be the key itself
    key = setting_text(environ, name)
    if key is None:
        problem = "names an app setting that is missing or empty: set it to the deployment's key"
        return [{"where": place, "problem": problem}]
    problem = key_problem(key)
    return [{"where": place, "problem": f"names an app setting that {problem}"}] if problem else []
