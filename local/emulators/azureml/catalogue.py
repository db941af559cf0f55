"""The registries: every student in the app's own table that lies in one, in each version up to the newest known, and the
environment that command jobs have when they name none."""

from __future__ import annotations

from dataclasses import dataclass

from shared.finetuning.azureml.command import DEFAULT_ENVIRONMENT, REGISTRY_ENVIRONMENT
from shared.students.catalogue import ASSET_ID, STUDENTS


@dataclass(frozen=True, slots=True)
class RegistryModel:
    registry: str
    name: str
    latest: int

    def has(self, version: str) -> bool:
        return version.isdecimal() and 1 <= int(version) <= self.latest


def _models() -> dict[tuple[str, str], RegistryModel]:
    found: dict[tuple[str, str], RegistryModel] = {}
    for student in STUDENTS:
        asset = ASSET_ID.fullmatch(student.asset or "")
        if asset and asset["version"]:
            model = RegistryModel(asset["registry"], asset["model"], int(asset["version"]))
            found[model.registry.lower(), model.name.lower()] = model
    return found


MODELS = _models()
ENVIRONMENT = DEFAULT_ENVIRONMENT.split("/")[-3]
ENVIRONMENT_REGISTRY = "azureml"
ENVIRONMENT_VERSION = 100
REGISTRIES = frozenset(registry for registry, _ in MODELS)


def find_model(registry: str, name: str) -> RegistryModel | None:
    return MODELS.get((registry.lower(), name.lower()))


def asset_problem(uri: str) -> str | None:
    """Why an asset id names no model that could be fine-tuned; None when it does."""
    asset = ASSET_ID.fullmatch(uri)
    if not asset:
        return (
            "is not an asset id azureml://registries/<registry>/models/<model>/versions/<version>"
        )
    model = find_model(asset["registry"], asset["model"])
    if not model:
        return f"registry {asset['registry']} has no model {asset['model']}"
    if asset["version"] and not model.has(asset["version"]):
        return f"model {model.name} has no version {asset['version']}: the latest is {model.latest}"
    if asset["label"] and asset["label"] != "latest":
        return f"model {model.name} has no label {asset['label']}"
    return None


def environment_problem(asset: str) -> str | None:
    """Why a job cannot run in an environment; None when it can. Labels name the newest version."""
    match = REGISTRY_ENVIRONMENT.fullmatch(asset)
    if not match:
        return f"the workspace has no environments of its own: use {DEFAULT_ENVIRONMENT}"
    if (match["registry"].lower(), match["name"]) != (ENVIRONMENT_REGISTRY, ENVIRONMENT):
        return f"registry {match['registry']} has no environment {match['name']}"
    if match["label"] not in (None, "latest"):
        return f"environment {ENVIRONMENT} has no label {match['label']}"
    if match["version"] and not has_environment(match["version"]):
        return f"environment {ENVIRONMENT} has no version {match['version']}: the latest is {ENVIRONMENT_VERSION}"
    return None


def has_environment(version: str) -> bool:
    return version.isdecimal() and 1 <= int(version) <= ENVIRONMENT_VERSION
