"""What the benchmarks share: made-up rows, processes that end with them, tables and result
files.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

from local.bootstrap import ROOT
from local.runtime.cloud import LocalCloud
from local.runtime.proxies import loopback_without_proxy
from tests.support.azureml import ask

RESULTS = ROOT / "benchmarks" / "results"
SYSTEM = "You are a helpful assistant. Solve the word problem and give the final number."


def write_rows(path: Path, numbers: range) -> None:
    """Math word problems of about 90 tokens, each different, always the same for the same
    numbers.
    """
    with path.open("w", encoding="utf-8") as file:
        for number in numbers:
            hens, eggs, box = (
                Random(f"{number}{what}").randint(2, 99) for what in ("hens", "eggs", "box")
            )
            text = (
                f"Problem {number}: a farm has {hens} hens, each of which lays {eggs} eggs a "
                f"month. The farmer sells the eggs in boxes of {box}. How many boxes can be "
                "filled in two months, if a tenth of the eggs are broken on their "
                "way to the market?"
            )
            messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
            file.write(json.dumps({"id": f"row-{number}", "messages": messages}) + "\n")


@contextmanager
def serving(module: str, *arguments: str) -> Generator[str]:
    """A teacher of `python -m module` while the context lasts.

    Gives its base URL, which its first line ends with.
    """
    command = [sys.executable, "-m", module, "--port", "0", "--lifeline", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.communicate()


def start_contender(
    python: str | Path, script: str, arguments: Sequence[str]
) -> subprocess.Popen[str]:
    """Start one contender's script; it prints one line of JSON."""
    environment = {**os.environ, **loopback_without_proxy(os.environ), "PYTHONPATH": str(ROOT)}
    command = [str(python), str(ROOT / "benchmarks" / "contenders" / script), *arguments]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def measured(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a contender measured. Raises RuntimeError when it failed."""
    output, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"a contender failed with exit code {process.returncode}")
    return json.loads(output.splitlines()[-1])


def host_answer(cloud: LocalCloud, method: str, path: str, body: object) -> dict[str, Any]:
    """The local app's answer, or status `pending` if it does not know the run yet.

    Ends the benchmark if it is another error.
    """
    headers = {"x-functions-key": cloud.endpoints.function_key}
    if body is not None:
        headers["Content-Type"] = "application/json"
    status, answer, _ = ask(cloud.endpoints.host_url + path, method, body, **headers)
    if status >= 400 and status != 404:
        raise SystemExit(f"{method} {path}: {status}: {answer}")
    return answer if status < 400 else {"status": "pending"}


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_results(name: str, parameters: dict[str, Any], results: Any) -> Path:
    """`benchmarks/results/<name>.json`, with what the machine is."""
    machine = {
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
    }
    document = {
        "date": date.today().isoformat(),
        "machine": machine,
        "parameters": parameters,
        "results": results,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path
