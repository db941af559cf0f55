"""Runs the command of a command job on this machine, in a folder of its own.

Inputs are copied in, `${{…}}` replaced, and outputs copied out. An interrupted job starts again in
the same folder, where a training finds its checkpoints.
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

from local.emulators.azureml.files import JobFailed, JobFiles
from local.emulators.azureml.job_bodies import PLACEHOLDER, seconds
from local.emulators.azureml.metrics import Value, read_log
from local.emulators.azureml.options import EmulatorOptions
from local.emulators.azureml.store import JobRecord

RUNNER = Path(__file__).with_name("command_runner.py")
LOG = "std_log.txt"
METRICS = "metrics.jsonl"
SHOWN_LINES = 15
SHOWN_CHARACTERS = 2000
GRACE_SECONDS = 5.0  # from SIGTERM to SIGKILL
NOT_STARTED = (
    "This emulator runs no commands: start it with --run-commands "
    "(python3 -m local up --azureml-option run_commands=yes), "
    "or try python3 -m local demo --train."
)
# keys of the storage account and of the identity, and paths of another Python
WITHHELD = (
    "DISTILLATION_STORAGE",
    "AzureWebJobsStorage",
    "IDENTITY_",
    "LOCAL_",
    "PYTHON",
    "VIRTUAL_ENV",
)
# PyTorch's threads wait busily, which takes ten times as long on a machine that does other things
SHARED_MACHINE = {"OMP_WAIT_POLICY": "PASSIVE"}


class Commands:
    """The commands of all jobs. Without `data_dir` there is no place to run them."""

    def __init__(self, options: EmulatorOptions, files: JobFiles, data_dir: Path | None) -> None:
        self._options = options
        self._files = files
        self._folder = data_dir.absolute() / "jobs" if data_dir else None

    async def run(self, job: JobRecord, cancelled: asyncio.Event) -> None:
        """Return when the command has succeeded, or was cancelled. Raises JobFailed."""
        if not self._options.run_commands or not self._folder:
            raise JobFailed(NOT_STARTED)
        folder = self._folder / job.name
        command = await self._prepare(job, folder)
        await self._execute(job, command, folder, cancelled)
        if not cancelled.is_set():
            for name in _section(job, "outputs"):
                path = output_path(job.name, name)
                await self._files.upload_folder(folder / "outputs" / name, path)

    def values(self, job: JobRecord) -> list[Value]:
        """Return what the job has logged so far, in whichever of its outputs."""
        if not self._folder:
            return []
        logs = sorted((self._folder / job.name / "outputs").glob(f"*/{METRICS}"))
        return [value for log in logs for value in read_log(log)]

    async def _prepare(self, job: JobRecord, folder: Path) -> str:
        """Return the command with local paths; the inputs and empty outputs are there then."""
        places: dict[tuple[str, str], str] = {}
        for name, job_input in _section(job, "inputs").items():
            places["inputs", name] = await self._fetch(job_input, folder / "inputs" / name)
        for name in _section(job, "outputs"):
            target = folder / "outputs" / name
            target.mkdir(parents=True, exist_ok=True)
            places["outputs", name] = str(target)
        command: str = job.properties["command"]
        return PLACEHOLDER.sub(lambda match: places[match["side"], match["name"]], command)

    async def _fetch(self, job_input: Mapping[str, str], target: Path) -> str:
        """Return the value of a literal input, or the local path of another."""
        if job_input["jobInputType"] == "literal":
            return job_input["value"]
        if job_input["jobInputType"] == "uri_file":
            return str(await self._files.download_file(job_input["uri"], target))
        await self._files.download_folder(job_input["uri"], target)
        return str(target)

    async def _execute(
        self, job: JobRecord, command: str, folder: Path, cancelled: asyncio.Event
    ) -> None:
        shell = shutil.which("bash")
        if shell is None:
            raise JobFailed("Commands are run by bash, which this machine does not have.")
        limit = seconds(_section(job, "limits").get("timeout") or "")
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
            message = f"The command took longer than its limit of {limit:.0f} s and was ended."
            raise JobFailed(message) from None
        finally:
            await _end(process)
        if process.returncode and not cancelled.is_set():
            end_of_log = _tail(folder / LOG)
            message = f"The command ended with exit code {process.returncode}."
            raise JobFailed(f"{message} The end of its log:\n{end_of_log}")

    def _environment(self, job: JobRecord) -> dict[str, str]:
        """Return the user's environment with the training's Python first, and the job's own."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(WITHHELD)
        }
        python = self._options.training_python or Path(sys.executable)
        programs = str(python.absolute().parent)
        return {
            **SHARED_MACHINE,
            **inherited,
            "PATH": os.pathsep.join([programs, inherited.get("PATH", os.defpath)]),
            "PYTHONUNBUFFERED": "1",
            "AZUREML_RUN_ID": job.name,
            **_section(job, "environmentVariables"),
        }


def _section(job: JobRecord, name: str) -> dict[str, Any]:
    return cast(dict[str, Any], job.properties.get(name) or {})


def output_path(job_name: str, output: str) -> str:
    """Return the folder of an output in container `runs`."""
    return f"azureml/{job_name}/{output}"


async def _ended_or(process: Process, cancelled: asyncio.Event) -> None:
    waits = {asyncio.create_task(process.wait()), asyncio.create_task(cancelled.wait())}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _end(process: Process) -> None:
    """End the whole process group of a command."""
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
