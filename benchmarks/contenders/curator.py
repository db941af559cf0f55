"""bespokelabs-curator, run by the Python of its own environment (`benchmarks/environment.py`).

Tried on two cores at 64 and 256 requests at a time, 50 ms latency, 5,000 rows; the first of each is
what runs here:

- backend `openai` (aiohttp): 430 rows/s; `litellm`: 150.
- progress: neither rich nor tqdm draws: 430 rows/s; rich, the default: 400, although no terminal
  shows it.
- log level WARNING: 3 % faster than the default, which writes lines for each row to a file.
- `max_requests_per_minute` and `max_tokens_per_minute`: so high that they never hold a request
  back. By default it takes what the teacher's headers say, else its own few hundred a minute. None
  is no way to turn them off: it means the default.
- Not touched, as no setting changes them: token counts of every prompt (tiktoken), responses copied
  deeply and written twice.

Offline: its token counts need the file of cl100k_base, which litellm brings along; litellm's table
of prices is the packaged one.
"""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from peer import MAX_TOKENS, Peer, compete, read_lines

NO_LIMIT = 10**12


class Curator(Peer):
    """Options: `backend`, and `backend_params` that replace or add to those below."""

    package = "bespokelabs-curator"
    environment: ClassVar = {
        "TELEMETRY_ENABLED": "false",
        "CURATOR_DISABLE_CACHE": "true",
        "CURATOR_DISABLE_RICH_DISPLAY": "1",
        "TQDM_DISABLE": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }

    def __init__(
        self, arguments: argparse.Namespace, rows: list[dict[str, Any]], folder: Path
    ) -> None:
        super().__init__(arguments, rows, folder)
        os.environ.pop("CURATOR_VIEWER", None)  # would upload the rows
        os.environ["TIKTOKEN_CACHE_DIR"] = str(_litellm() / "litellm_core_utils" / "tokenizers")
        import bespokelabs.curator.request_processor.online.openai_online_request_processor  # noqa: F401 (and litellm)
        from bespokelabs import curator

        logging.getLogger("curator").setLevel(logging.WARNING)

        class Teacher(curator.LLM):
            def prompt(self, input: dict[str, Any]) -> list[dict[str, str]]:
                return input["messages"]

            def parse(self, input: dict[str, Any], response: str) -> dict[str, str]:
                return {"id": input["id"], "text": response}

        self._teacher = Teacher

    def generate(self) -> None:
        backend = self.options.get("backend", "openai")
        parameters = {
            "base_url": self.arguments.base_url,
            "api_key": "none",
            "max_concurrent_requests": self.arguments.concurrency,
            "max_requests_per_minute": NO_LIMIT,
            "max_tokens_per_minute": NO_LIMIT,
            "require_all_responses": False,  # else the run raises when a row failed
            **self.options.get("backend_params", {}),
        }
        teacher = self._teacher(
            model_name=self.arguments.model
            if backend == "openai"
            else f"openai/{self.arguments.model}",
            backend=backend,
            generation_params={"max_tokens": MAX_TOKENS},
            backend_params=parameters,
        )
        teacher(self.rows, working_dir=str(self.folder))

    def answers(self) -> Iterable[tuple[str, str | None]]:
        """From its file of responses: there at any time, and the same as in the dataset that it
        returns.
        """
        for file in self.folder.glob("*/responses_*.jsonl"):
            for response in read_lines(file):
                yield (
                    response["generic_request"]["original_row"]["id"],
                    response["response_message"],
                )


def _litellm() -> Path:
    spec = find_spec("litellm")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


if __name__ == "__main__":
    compete(Curator)
