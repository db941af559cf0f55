"""`up`: serve the app until Ctrl-C."""

from __future__ import annotations

import argparse
import shlex
import time

from local.cli.commands.arguments import DEFAULT_DATA_DIR
from local.cli.display import RunsDisplay, terminal
from local.cli.watching import WatchedRuns
from local.runtime.client import ApiError, HostUnreachable, RunsClient
from local.runtime.cloud import AlreadyRunning, LocalCloud
from local.runtime.endpoints import FILE_NAME, Endpoints
from local.runtime.options import CloudOptions, cloud_options
from local.runtime.session import STARTING, choose_port, is_served

REFRESH_SECONDS = 1.0
# looking at the runs takes at most a fifth of the time: a busy app has better things to do
PAUSE_PER_LOOK = 4.0


def main(chosen: argparse.Namespace) -> int:
    """Serve; return 0 when the user stops it. Raises UsageError, AlreadyRunning, ChildFailed."""
    options = cloud_options(chosen)
    if is_served(options.data_dir):
        raise AlreadyRunning(
            f"{options.data_dir} is already served: stop that one first, "
            "or choose another --data-dir"
        )
    port = choose_port(options.port, free_instead=False)
    print(STARTING, flush=True)
    with LocalCloud(options, port) as cloud:
        print(welcome(cloud.endpoints, options), flush=True)
        try:
            _watch(cloud, RunsClient(cloud.endpoints))
        except KeyboardInterrupt:
            print("\nStopping. Unfinished runs continue with the next `up`.", flush=True)
    return 0


def welcome(endpoints: Endpoints, options: CloudOptions) -> str:
    """Return what to do next, for someone who has read nothing else."""
    file = options.data_dir / FILE_NAME
    return f"""
  app        {endpoints.host_url}/api/runs
  teacher    {endpoints.teacher_url}
  AzureML    {endpoints.azureml_url}  (an emulator: it trains nothing)
  OpenAI     {endpoints.azure_openai_url}  (an emulator of fine-tuning: it trains nothing)
  key        {endpoints.function_key}  (function key; the others are in {file})
  logs       {options.logs}

Start a run:  upload a dataset to container `datasets` as <task>/<name>/train.jsonl
              (upload validation.jsonl and run.json first), or in another terminal:
              python3 -m local run nli samples/nli/train.jsonl{_data_dir_flag(options)}
See status:   curl -H "x-functions-key: {endpoints.function_key}" {endpoints.host_url}/api/runs
Stop:         Ctrl-C
"""


def _data_dir_flag(options: CloudOptions) -> str:
    if options.data_dir == DEFAULT_DATA_DIR:
        return ""
    return f" --data-dir {shlex.quote(str(options.data_dir))}"


def _watch(cloud: LocalCloud, client: RunsClient) -> None:
    """Show the runs until interrupted. Raises ChildFailed when a process has ended."""
    runs = WatchedRuns(client)
    last_error = ""
    with RunsDisplay(terminal()) as display:
        while True:
            cloud.check()
            began = time.monotonic()
            try:
                display.show(runs.refresh())
            except HostUnreachable:
                # Busy or just gone: check() tells which.
                pass
            except ApiError as error:
                if str(error) != last_error:
                    last_error = str(error)
                    print(last_error, flush=True)
            looked = time.monotonic() - began
            time.sleep(max(REFRESH_SECONDS, PAUSE_PER_LOOK * looked))
