"""URLs that let a caller read or write one blob for a few minutes (shared access signatures).

Files of any size go directly between the caller and the storage account: nothing passes through
the memory of a worker, and nobody is handed a key of the account. A URL is signed with the
account's key if the app has a connection string, and otherwise with a user delegation key of the
app's identity, which needs the role Storage Blob Delegator (or a Storage Blob Data role) on the
account.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast
from urllib.parse import quote

from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobSasPermissions, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient

from shared.core.errors import SettingsError
from shared.core.paths import split_path
from shared.core.settings import BLOB_SERVICE_URI, STORAGE

SIGNED_MINUTES = 15
CLOCK_SKEW = timedelta(minutes=5)  # by which clocks of app and storage account may differ
Access = Literal["read", "write"]
# Neither lets its holder list or delete blobs. Blocks can only be staged with `write`.
PERMISSIONS: dict[Access, BlobSasPermissions] = {
    "read": BlobSasPermissions(read=True),
    "write": BlobSasPermissions(create=True, write=True),
}


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """A URL that works until `expires`. Its signature is a secret."""

    url: str = field(repr=False)
    expires: datetime


async def sign(client: BlobServiceClient, path: str, access: Access) -> SignedUrl:
    """Return the URL of a blob with a signature. `path` is `container/name`.

    Raises SettingsError if the app can't sign.
    """
    container, name = split_path(path)
    url = plain_url(client, path)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=SIGNED_MINUTES)
    signature = generate_blob_sas(
        account_name=str(client.account_name),
        container_name=container,
        blob_name=name,
        permission=PERMISSIONS[access],
        expiry=until,
        protocol="https" if url.startswith("https:") else "https,http",
        **await _signing_key(client, until),
    )
    return SignedUrl(f"{url}?{signature}", until)


def plain_url(client: BlobServiceClient, path: str) -> str:
    """Return the URL of a blob without a signature, for callers with an identity of their own."""
    # The client's own URL ends in the signature of its connection string, if that has one.
    endpoint = client.url.partition("?")[0].rstrip("/")
    return f"{endpoint}/{quote(path)}"


async def _signing_key(client: BlobServiceClient, until: datetime) -> dict[str, Any]:
    key = getattr(client.credential, "account_key", None)
    if key:
        return {"account_key": key}
    if client.credential is None:
        raise SettingsError(
            f"{STORAGE} has no AccountKey, so URLs of files can't be signed: use a connection "
            f"string with the account's key, or {BLOB_SERVICE_URI} and an identity"
        )
    try:
        delegated = await cast(Any, client).get_user_delegation_key(
            key_start_time=datetime.now(UTC) - CLOCK_SKEW, key_expiry_time=until
        )
    except HttpResponseError as error:
        if error.status_code != 403:
            raise
        raise SettingsError(
            "the app's identity may not sign URLs of files: give it the role Storage Blob "
            "Delegator on the storage account"
        ) from None
    return {"user_delegation_key": delegated}
