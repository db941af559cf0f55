"""The registries: the app's students that have an asset, and the environment of command jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from local.emulators.azureml.arm import GROUP_PATH, ArmError, not_found
from local.emulators.azureml.environment import RESOURCE_GROUP, SUBSCRIPTION
from local.emulators.azureml.resources import NOTICE, envelope, model_properties
from local.emulators.service import json_route
from shared.finetuning.azureml.command import DEFAULT_ENVIRONMENT
from shared.students.asset_names import REGISTRY_ENVIRONMENT
from shared.students.catalogue import ASSET_ID, STUDENTS

ENVIRONMENT = DEFAULT_ENVIRONMENT.split("/")[-3]
ENVIRONMENT_REGISTRY = "azureml"
ENVIRONMENT_VERSION = 100

_REGISTRY = "/mferp/managementfrontend" + GROUP_PATH + "/registries/{registry}"
_DISCOVERY = "/registrymanagement/v1.0/registries/{registry}/discovery"
_MODEL = _REGISTRY + "/models/{model}/versions"
_ENVIRONMENT = _REGISTRY + "/environments/{environment}"


@dataclass(frozen=True, slots=True)
class RegistryModel:
    """A model in a registry, in every version up to the latest."""

    registry: str
    name: str
    latest: int

    def has(self, version: str) -> bool:
        return version.isdecimal() and 1 <= int(version) <= self.latest


def _models() -> dict[tuple[str, str], RegistryModel]:
    models: dict[tuple[str, str], RegistryModel] = {}
    for student in STUDENTS:
        asset = ASSET_ID.fullmatch(student.asset or "")
        if asset and asset["version"]:
            model = RegistryModel(asset["registry"], asset["model"], int(asset["version"]))
            models[model.registry.lower(), model.name.lower()] = model
    return models


MODELS = _models()
REGISTRIES = frozenset(registry for registry, _ in MODELS)


def find_model(registry: str, name: str) -> RegistryModel | None:
    return MODELS.get((registry.lower(), name.lower()))


def asset_problem(uri: str) -> str | None:
    """Return why an asset id names no model that could be fine-tuned; None if it names one."""
    asset = ASSET_ID.fullmatch(uri)
    if not asset:
        pattern = "azureml://registries/<registry>/models/<model>/versions/<version>"
        return f"is not an asset id {pattern}"
    model = find_model(asset["registry"], asset["model"])
    if not model:
        return f"registry {asset['registry']} has no model {asset['model']}"
    if asset["version"] and not model.has(asset["version"]):
        return f"model {model.name} has no version {asset['version']}: the latest is {model.latest}"
    if asset["label"] and asset["label"] != "latest":
        return f"model {model.name} has no label {asset['label']}"
    return None


def environment_problem(asset: str) -> str | None:
    """Return why a job cannot run in an environment; None if it can."""
    match = REGISTRY_ENVIRONMENT.fullmatch(asset)
    if not match:
        return f"the workspace has no environments: use {DEFAULT_ENVIRONMENT}"
    if (match["registry"].lower(), match["name"]) != (ENVIRONMENT_REGISTRY, ENVIRONMENT):
        return f"registry {match['registry']} has no environment {match['name']}"
    if match["label"] not in (None, "latest"):
        return f"environment {ENVIRONMENT} has no label {match['label']}"
    if match["version"] and not _has_environment(match["version"]):
        latest = f"the latest is {ENVIRONMENT_VERSION}"
        return f"environment {ENVIRONMENT} has no version {match['version']}: {latest}"
    return None


def routes() -> list[web.RouteDef]:
    handlers = {
        _DISCOVERY: _discovery,
        _MODEL: _model_versions,
        _MODEL + "/{version}": _model_version,
        _ENVIRONMENT: _environment_container,
        _ENVIRONMENT + "/versions": _environment_versions,
        _ENVIRONMENT + "/versions/{version}": _environment_version,
    }
    return [web.get(path, json_route(handler)) for path, handler in handlers.items()]


def _discovery(request: web.Request) -> dict[str, Any]:
    name = request.match_info["registry"]
    if name.lower() not in REGISTRIES:
        raise ArmError(404, "RegistryNotFound", f"The registry {name!r} does not exist.")
    return {
        "registryName": name,
        "primaryRegion": "local",
        "primaryRegionResourceProviderUri": f"http://{request.host}/",
        "resourceGroup": RESOURCE_GROUP,
        "subscriptionId": SUBSCRIPTION,
        "registryFqdns": {},
    }


def _model_versions(request: web.Request) -> dict[str, Any]:
    model = _requested_model(request)
    newest_first = range(model.latest, 0, -1)
    return {"value": [_model(model, str(version)) for version in newest_first]}


def _model_version(request: web.Request) -> dict[str, Any]:
    model = _requested_model(request)
    version = request.match_info["version"]
    if not model.has(version):
        message = f"Model {model.name} has no version {version}: the latest is {model.latest}."
        raise ArmError(404, "ModelNotFound", message)
    return _model(model, version)


def _requested_model(request: web.Request) -> RegistryModel:
    registry = request.match_info["registry"]
    name = request.match_info["model"]
    model = find_model(registry, name)
    if not model:
        raise ArmError(404, "ModelNotFound", f"The registry {registry!r} has no model {name!r}.")
    return model


def _model(model: RegistryModel, version: str) -> dict[str, Any]:
    path = f"azureml://registries/{model.registry}/models/{model.name}/versions/{version}"
    description = f"{model.name}. {NOTICE}"
    properties = model_properties(kind="mlflow_model", uri=f"{path}/files", description=description)
    shown = envelope(path, "registries/models/versions", version, properties)
    return {**shown, "systemData": None}


def _has_environment(version: str) -> bool:
    return version.isdecimal() and 1 <= int(version) <= ENVIRONMENT_VERSION


def _environment_container(request: web.Request) -> dict[str, Any]:
    newest = str(ENVIRONMENT_VERSION)
    shown = _environment(request, newest)
    properties: dict[str, Any] = {
        "latestVersion": newest,
        "nextVersion": newest,
        "tags": {},
        "properties": {},
        "isArchived": False,
    }
    container_id = shown["id"].partition("/versions/")[0]
    return {**shown, "id": container_id, "name": ENVIRONMENT, "properties": properties}


def _environment_versions(request: web.Request) -> dict[str, Any]:
    return {"value": [_environment(request, str(ENVIRONMENT_VERSION))]}


def _environment_version(request: web.Request) -> dict[str, Any]:
    version = request.match_info["version"]
    shown = _environment(request, version)
    if not _has_environment(version):
        raise not_found("environment version", f"{ENVIRONMENT}:{version}")
    return shown


def _environment(request: web.Request, version: str) -> dict[str, Any]:
    """Return a version of the requested environment. Raises ArmError for an unknown environment."""
    registry = request.match_info["registry"]
    name = request.match_info["environment"]
    if (registry.lower(), name) != (ENVIRONMENT_REGISTRY, ENVIRONMENT):
        message = f"The registry {registry!r} has no environment {name!r}."
        raise ArmError(404, "EnvironmentNotFound", message)
    container = f"azureml://registries/{ENVIRONMENT_REGISTRY}/environments/{ENVIRONMENT}"
    properties: dict[str, Any] = {
        "environmentType": "Curated",
        "image": f"mcr.microsoft.com/azureml/curated/{ENVIRONMENT}:{version}",
        "osType": "Linux",
        "description": "In its place the emulator uses the Python of --training-python.",
        "tags": {},
        "properties": {},
        "isAnonymous": False,
        "isArchived": False,
    }
    path = f"{container}/versions/{version}"
    return envelope(path, "registries/environments/versions", version, properties)
