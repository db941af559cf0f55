"""`up`: serve the app until Ctrl-C."""

from __future__ import annotations

import argparse
import shlex
import time

from rich.console import Console

from local.cli.commands.arguments import DEFAULT_DATA_DIR
from local.cli.display import RunsDisplay
from local.cli.watching import WatchedRuns
from local.runtime.client import ApiError, HostUnreachable, RunsClient
from local.runtime.cloud import AlreadyRunning, LocalCloud
from local.runtime.endpoints import FILE_NAME, Endpoints
from local.runtime.options import CloudOptions, cloud_options
from local.runtime.session import choose_port, is_served

REFRESH_SECONDS = 1.0


def main(chosen: argparse.Namespace) -> int:
    """Serve; 0 when the user stops it. Raises UsageError, AlreadyRunning, ChildFailed."""
    options = cloud_options(chosen)
    if is_served(options.data_dir):
        raise AlreadyRunning(
            f"{options.data_dir} is already served: stop that one first, or choose another --data-dir"
        )
    port = choose_port(options.port, free_instead=False)
    print("Starting storage, teacher, fine-tuning emulators and the Functions host.", flush=True)
    with LocalCloud(options, port) as cloud:
        print(welcome(cloud.endpoints, options), flush=True)
        try:
            _watch(cloud, RunsClient(cloud.endpoints))
        except KeyboardInterrupt:
            print("\nStopping. Runs that have not ended go on with the next `up`.", flush=True)
    return 0


def welcome(endpoints: Endpoints, options: CloudOptions) -> str:
    """What to do next, for someone who has read nothing else."""
    file = options.data_dir / FILE_NAME
    return f"""
  app        {endpoints.host_url}/api/runs
  teacher    {endpoints.teacher_url}
  AzureML    {endpoints.azureml_url}  (an emulator: it trains nothing)
  OpenAI     {endpoints.azure_openai_url}  (an emulator of its fine-tuning: it trains nothing)
  key        {endpoints.function_key}  (function key; the others are in {file})
  logs       {options.logs}

Drop a dataset:  upload it to container `datasets` as <task>/<name>/train.jsonl
                 (validation.jsonl and run.json beside it, before), or in another terminal:
                 python3 -m local run nli samples/nli/train.jsonl{_data_dir_flag(options)}
Ask for status:  curl -H "x-functions-key: {endpoints.function_key}" {endpoints.host_url}/api/runs
Stop:            Ctrl-C
"""


def _data_dir_flag(options: CloudOptions) -> str:
    return (
        ""
        if options.data_dir == DEFAULT_DATA_DIR
        else f" --data-dir {shlex.quote(str(options.data_dir))}"
    )


def _watch(cloud: LocalCloud, client: RunsClient) -> None:
    """Show the runs that concern this `up` until interrupted. Raises ChildFailed when a process has ended."""
    runs, told = WatchedRuns(client), ""
    with RunsDisplay(Console()) as display:
        while True:
            cloud.check()
            try:
                display.show(runs.refresh())
            except HostUnreachable:
                pass  # busy or just gone: check() knows which
            except ApiError as error:
                if str(error) != told:
                    told = str(error)
                    print(told, flush=True)
            time.sleep(REFRESH_SECONDS)
