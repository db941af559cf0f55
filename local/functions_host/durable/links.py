"""URLs of Durable's management API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote, urlencode

PATH = "/runtime/webhooks/durabletask"
CONNECTION = "Storage"
ID_PLACEHOLDER = "INSTANCEID"


@dataclass(frozen=True, slots=True)
class Links:
    """`base_url` is the host's, `rpc_url` the secret one for the app's own client."""

    base_url: str
    rpc_url: str
    hub: str
    system_key: str

    def client_data(self) -> str:
        """Return what the durable client binding gives to functions, as JSON."""
        prefix = f"{self.base_url}{PATH}/orchestrators/{{functionName}}[/{{instanceId}}]"
        start = f"{prefix}?code={self.system_key}"
        data = {
            "taskHubName": self.hub,
            "creationUrls": {
                "createNewInstancePostUri": start,
                "createAndWaitOnNewInstancePostUri": start,
            },
            "managementUrls": self.management(ID_PLACEHOLDER, self.base_url),
            "baseUrl": f"{self.base_url}{PATH}",
            "requiredQueryStringParameters": f"code={self.system_key}",
            "rpcBaseUrl": self.rpc_url,
        }
        return json.dumps(data)

    def management(self, instance_id: str, origin: str) -> dict[str, str]:
        """Return the check-status links of an instance."""
        query = urlencode({"taskHub": self.hub, "connection": CONNECTION, "code": self.system_key})
        instance = f"{origin}{PATH}/instances/{quote(instance_id, safe='')}"
        return {
            "id": instance_id,
            "statusQueryGetUri": f"{instance}?{query}",
            "sendEventPostUri": f"{instance}/raiseEvent/{{eventName}}?{query}",
            "terminatePostUri": f"{instance}/terminate?reason={{text}}&{query}",
            "rewindPostUri": f"{instance}/rewind?reason={{text}}&{query}",
            "purgeHistoryDeleteUri": f"{instance}?{query}",
            "restartPostUri": f"{instance}/restart?{query}",
            "suspendPostUri": f"{instance}/suspend?reason={{text}}&{query}",
            "resumePostUri": f"{instance}/resume?reason={{text}}&{query}",
        }
