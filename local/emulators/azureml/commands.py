"""Runs the command of a command job on this machine, in a folder of its own: inputs in, `${{…}}` put in place, outputs out.

A job that was cut off is started again in the same folder, where a training finds its checkpoints.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from local.emulators.azureml.command_bodies import PLACEHOLDER, seconds
from local.emulators.azureml.job_files import JobFiles, JobFilesFailed
from local.emulators.azureml.metrics import Value, read_log
from local.emulators.azureml.options import EmulatorOptions
from local.emulators.azureml.store import JobRecord

RUNNER = Path(__file__).with_name("command_runner.py")
LOG = "std_log.txt"
METRICS = "metrics.jsonl"
SHOWN_LINES, SHOWN_CHARACTERS = 15, 2000
GRACE_SECONDS = 5.0  # from SIGTERM to SIGKILL
NOT_STARTED = (
    "This emulator runs no commands: start it with --run-commands "
    "(python3 -m local up --azureml-option run_commands=yes), or try python3 -m local demo --train."
)
# of the emulator's own environment: keys of the storage account and of its identity, and another Python's paths
WITHHELD = (
    "DISTILLATION_STORAGE",
    "AzureWebJobsStorage",
    "IDENTITY_",
    "LOCAL_",
    "PYTHON",
    "VIRTUAL_ENV",
)
# PyTorch's threads wait for each other busily, which on a machine that does other things, too, takes ten times as long
SHARED_MACHINE = {"OMP_WAIT_POLICY": "PASSIVE"}


class CommandFailed(Exception):
    """The command could not be run, or ended in failure. The message says how, with the end of its log."""


class Commands:
    """The commands of all jobs. `data_dir` None: there is no place for them."""

    def __init__(
        self, options: EmulatorOptions, storage: str | None, data_dir: Path | None
    ) -> None:
        self._options, self._files = options, JobFiles(storage)
        self._folder = data_dir.absolute() / "jobs" if data_dir else None

    async def run(self, job: JobRecord, cancelled: asyncio.Event) -> None:
        """Returns when the command has succeeded, or was killed because the event was set. Raises CommandFailed."""
        if not self._options.run_commands or not self._folder:
            raise CommandFailed(NOT_STARTED)
        folder = self._folder / job.name
        try:
            places = await self._prepare(job.properties, folder)
            await self._execute(job, folder, places, cancelled)
            if not cancelled.is_set():
                for name in _section(job.properties, "outputs"):
                    await self._files.upload_folder(
                        folder / "outputs" / name, output_path(job.name, name)
                    )
        except JobFilesFailed as problem:
            raise CommandFailed(str(problem)) from problem

    def values(self, job: JobRecord) -> list[Value]:
        """What the job has logged so far, in whichever of its outputs."""
        if not self._folder:
            return []
        logs = sorted((self._folder / job.name / "outputs").glob(f"*/{METRICS}"))
        return [value for log in logs for value in read_log(log)]

    async def _prepare(
        self, properties: Mapping[str, Any], folder: Path
    ) -> dict[tuple[str, str], str]:
        """What to put in place of each `${{side.name}}`; the inputs are there afterwards."""
        places: dict[tuple[str, str], str] = {}
        for name, given in _section(properties, "inputs").items():
            target = folder / "inputs" / name
            if given["jobInputType"] == "literal":
                places["inputs", name] = given["value"]
            elif given["jobInputType"] == "uri_file":
                places["inputs", name] = str(await self._files.download_file(given["uri"], target))
            else:
                await self._files.download_folder(given["uri"], target)
                places["inputs", name] = str(target)
        for name in _section(properties, "outputs"):
            target = folder / "outputs" / name
            target.mkdir(parents=True, exist_ok=True)
            places["outputs", name] = str(target)
        return places

    async def _execute(
        self,
        job: JobRecord,
        folder: Path,
        places: Mapping[tuple[str, str], str],
        cancelled: asyncio.Event,
    ) -> None:
        command = PLACEHOLDER.sub(
            lambda match: places[match["side"], match["name"]], job.properties["command"]
        )
        shell = shutil.which("bash")
        if os.name != "posix" or shell is None:
            raise CommandFailed("commands are run by bash, which this machine does not have")
        limit = seconds(_section(job.properties, "limits").get("timeout") or "")
        with (folder / LOG).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(RUNNER), shell, "-c", command),
                cwd=folder,
                stdin=PIPE,  # the runner's lifeline
                stdout=log,
                stderr=log,
                env=self._environment(job),
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(limit):
                await _ended_or(process, cancelled)
        except TimeoutError:
            raise CommandFailed(
                f"The command took longer than its limit of {limit:.0f} s and was ended."
            ) from None
        finally:
            await _end(process)
        if process.returncode and not cancelled.is_set():
            raise CommandFailed(
                f"The command ended with exit code {process.returncode}. The end of its log:\n{_tail(folder / LOG)}"
            )

    def _environment(self, job: JobRecord) -> dict[str, str]:
        """The user's own environment with the training's Python first, and what the job asks for."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(WITHHELD)}
        python = self._options.training_python or Path(sys.executable)
        asked = _section(job.properties, "environmentVariables")
        path = os.pathsep.join([str(python.absolute().parent), kept.get("PATH", os.defpath)])
        return {
            **SHARED_MACHINE,
            **kept,
            "PATH": path,
            "PYTHONUNBUFFERED": "1",
            "AZUREML_RUN_ID": job.name,
            **asked,
        }


def _section(properties: Mapping[str, Any], name: str) -> dict[str, Any]:
    return cast(dict[str, Any], properties.get(name) or {})


def output_path(job_name: str, output: str) -> str:
    """Where an output lies in container `runs`."""
    return f"azureml/{job_name}/{output}"


async def _ended_or(process: Process, cancelled: asyncio.Event) -> None:
    waits = {asyncio.create_task(process.wait()), asyncio.create_task(cancelled.wait())}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _end(process: Process) -> None:
    """Nothing of the command's process group is left afterwards."""
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await process.wait()
    _signal(process, signal.SIGKILL)  # also what the command has left running
    await process.wait()
    if process.stdin:
        process.stdin.close()


def _signal(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:]
    return "\n".join(lines)[-SHOWN_CHARACTERS:]
