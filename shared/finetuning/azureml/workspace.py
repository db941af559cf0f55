"""Which AzureML workspace the app works with."""

from __future__ import annotations

from dataclasses import dataclass

from shared.core.settings import Settings

PROVIDER = "Microsoft.MachineLearningServices"


@dataclass(frozen=True, slots=True)
class Workspace:
    """An AzureML workspace."""

    subscription_id: str
    resource_group: str
    name: str

    @classmethod
    def of(cls, settings: Settings) -> Workspace:
        """Return the workspace of the app settings, which the registry has checked."""
        return cls(
            subscription_id=settings.azureml_subscription_id or "",
            resource_group=settings.azureml_resource_group or "",
            name=settings.azureml_workspace or "",
        )

    @property
    def path(self) -> str:
        """The workspace's resource id, which every URL about it holds."""
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/{PROVIDER}/workspaces/{self.name}"
