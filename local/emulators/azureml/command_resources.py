"""What a command job refers to, as the API shows it: the one compute of the workspace, and the environments of the registry."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from local.emulators.azureml.arm import (
    GROUP_PATH,
    PROVIDER,
    WORKSPACE_ID,
    WORKSPACE_PATH,
    ArmError,
    not_found,
)
from local.emulators.azureml.catalogue import (
    ENVIRONMENT,
    ENVIRONMENT_REGISTRY,
    ENVIRONMENT_VERSION,
    has_environment,
)
from local.emulators.azureml.environment import COMPUTE

REGISTRY_ENVIRONMENT = (
    "/mferp/managementfrontend"
    + GROUP_PATH
    + "/registries/{registry}/environments/{environment}/versions"
)


def routes() -> list[web.RouteDef]:
    return [
        web.get(WORKSPACE_PATH + "/computes/{compute}", _compute),
        web.get(WORKSPACE_PATH + "/environments/{environment}", _no_environment),
        web.get(WORKSPACE_PATH + "/environments/{environment}/versions", _no_environment),
        web.get(WORKSPACE_PATH + "/environments/{environment}/versions/{version}", _no_environment),
        web.get(REGISTRY_ENVIRONMENT.removesuffix("/versions"), _container),
        web.get(REGISTRY_ENVIRONMENT, _versions),
        web.get(REGISTRY_ENVIRONMENT + "/{version}", _version),
    ]


def compute() -> dict[str, Any]:
    return {
        "id": f"{WORKSPACE_ID}/computes/{COMPUTE}",
        "name": COMPUTE,
        "type": f"{PROVIDER}/workspaces/computes",
        "location": "local",
        "properties": {
            "computeType": "AmlCompute",
            "computeLocation": "local",
            "provisioningState": "Succeeded",
            "description": "The machine that the emulator runs on.",
            "properties": {
                "vmSize": "LOCAL",
                "vmPriority": "Dedicated",
                "scaleSettings": {"minNodeCount": 1, "maxNodeCount": 1},
            },
        },
    }


def environment(version: str) -> dict[str, Any]:
    path = (
        f"azureml://registries/{ENVIRONMENT_REGISTRY}/environments/{ENVIRONMENT}/versions/{version}"
    )
    return {
        "id": path,
        "name": version,
        "type": f"{PROVIDER}/registries/environments/versions",
        "properties": {
            "environmentType": "Curated",
            "image": f"mcr.microsoft.com/azureml/curated/{ENVIRONMENT}:{version}",
            "osType": "Linux",
            "description": "In its place the emulator uses the Python of --training-python.",
            "tags": {},
            "properties": {},
            "isAnonymous": False,
            "isArchived": False,
        },
    }


async def _compute(request: web.Request) -> web.Response:
    name = request.match_info["compute"]
    if name.lower() != COMPUTE:
        raise not_found("compute", name)
    return web.json_response(compute())


async def _no_environment(request: web.Request) -> web.Response:
    raise not_found("environment", request.match_info["environment"])


async def _container(request: web.Request) -> web.Response:
    _check_environment(request)
    newest = str(ENVIRONMENT_VERSION)
    shown = environment(newest)
    properties: dict[str, Any] = {
        "latestVersion": newest,
        "nextVersion": newest,
        "tags": {},
        "properties": {},
        "isArchived": False,
    }
    return web.json_response(
        {
            **shown,
            "id": shown["id"].partition("/versions/")[0],
            "name": ENVIRONMENT,
            "properties": properties,
        }
    )


async def _versions(request: web.Request) -> web.Response:
    _check_environment(request)
    return web.json_response({"value": [environment(str(ENVIRONMENT_VERSION))]})


async def _version(request: web.Request) -> web.Response:
    _check_environment(request)
    version = request.match_info["version"]
    if not has_environment(version):
        raise not_found("environment version", f"{ENVIRONMENT}:{version}")
    return web.json_response(environment(version))


def _check_environment(request: web.Request) -> None:
    registry, name = request.match_info["registry"], request.match_info["environment"]
    if (registry.lower(), name) != (ENVIRONMENT_REGISTRY, ENVIRONMENT):
        raise ArmError(
            404, "EnvironmentNotFound", f"The registry {registry!r} has no environment {name!r}."
        )
