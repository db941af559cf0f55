"""What every command needs: the deployment, its API, and the clock, all replaceable in tests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import httpx2
import typer

from .api import Api, http_client
from .blobs import Blobs, BlobUrl, Credential
from .connection import KEY_VARIABLE, URL_VARIABLE, Connection, connect
from .errors import UsageError
from .output import note

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help=f"The deployment, such as https://NAME.azurewebsites.net. Otherwise {URL_VARIABLE}, "
        "or the local cloud of this folder.",
        show_default=False,
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help=f"Its function key. Prefer {KEY_VARIABLE}: other users can see command lines, and "
        "the shell keeps them.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the result alone, without remarks.")
]
IdentityOption = Annotated[
    bool,
    typer.Option(
        "--identity",
        help="Move files with your own Azure identity instead of URLs that the app signs. Needs "
        "the extra `identity`, and a Storage Blob Data role.",
    ),
]


def _run_id(text: str) -> str:
    """Return a run's id. Raises BadParameter if it is empty, which would ask for all runs."""
    if not text.strip():
        raise typer.BadParameter("is empty: perhaps the command that was to give the id has failed")
    return text


RunId = Annotated[
    str,
    typer.Argument(metavar="ID", help="The run's id.", show_default=False, callback=_run_id),
]
IDENTITY_MISSING = (
    "--identity needs the package azure-identity: install the client with its extra `identity`"
)


@dataclass(frozen=True)
class Session:
    """The surroundings of a command."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    folder: Path = field(default_factory=Path)
    transport: httpx2.BaseTransport | None = None
    credential: Credential | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def connect(self, url: str | None, key: str | None) -> Connection:
        """Return the deployment that a command speaks to. Raises UsageError."""
        connection = connect(url, key, self.environ, self.folder)
        if connection.is_unencrypted and connection.key:
            note(f"warning: {connection.url} isn't https: others on the way can read the key")
        return connection

    def api(self, url: str | None, key: str | None) -> Api:
        """Return its API. Raises UsageError."""
        return Api(self.connect(url, key), self.transport, self.sleep)

    def blob_url(self, fetch: Callable[[], str]) -> BlobUrl:
        """Return the URL of a blob, which is renewed in time."""
        return BlobUrl(fetch, self.clock)

    def blobs(self, url: str, *, identity: bool) -> Blobs:
        """Return a client of the storage account behind a blob's URL. Raises UsageError."""
        endpoint = httpx2.URL(url)
        server = f"{endpoint.scheme}://{endpoint.netloc.decode()}"
        http = http_client(server, self.transport, {"User-Agent": "distil"})
        return Blobs(http, self._identity() if identity else None, self.sleep)

    def _identity(self) -> Credential:
        if self.credential is not None:
            return self.credential
        try:
            from azure.identity import DefaultAzureCredential
        except ImportError:
            raise UsageError(IDENTITY_MISSING) from None
        return DefaultAzureCredential()


def session_of(context: typer.Context) -> Session:
    """Return the surroundings of a command."""
    return context.obj if isinstance(context.obj, Session) else Session()
