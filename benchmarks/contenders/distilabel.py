"""distilabel, run by the Python of its own environment (`benchmarks/environment.py`).

Tried on two cores with 50 ms latency and 5,000 rows, in rows/s at 64 and at 256 requests at a time:

- `Pipeline`, two replicas of the task, each with half the requests: 244 and 288. This is what runs
  here.
- `Pipeline`, one replica: 203 and 175. Four replicas: half as fast as two, on two cores.
- the task alone, without `Pipeline`: 230 and 209. Faster for short runs, as a pipeline takes some 2
  s to start: option `{"mode": "task"}`. Calling the LLM without a task makes no difference.
- `dataset_batch_size`: all rows at once: 5 to 15 % faster than batches of the step's size.
- raw input and output beside the answers off, the step's cache off, log level WARNING.
- its own environment instead of one shared with curator, whose litellm pins an older openai: twice
  as fast.

It asks for a batch, waits for the last answer of it, then asks for the next: more than a batch at a
time is only to be had from replicas. No setting bounds the requests otherwise: a batch of all rows
would send a thousand at a time. A request that fails for good takes the answers of its whole batch
with it. It needs no network and has no telemetry.
"""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from peer import MAX_TOKENS, Peer, compete

if Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    sys.path.append(sys.path.pop(0))  # else `import distilabel` would find this file


class Distilabel(Peer):
    """Options: `mode` (pipeline or task), `replicas` of a pipeline's task, `llm` with arguments for
    `OpenAILLM`.
    """

    package = "distilabel"
    environment: ClassVar = {
        "DISTILABEL_LOG_LEVEL": "WARNING",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }

    def __init__(
        self, arguments: argparse.Namespace, rows: list[dict[str, Any]], folder: Path
    ) -> None:
        super().__init__(arguments, rows, folder)
        os.environ["DISTILABEL_CACHE_DIR"] = str(folder)
        import openai.resources.chat.completions  # noqa: F401 (else imported with the first request)
        from distilabel.models.llms import OpenAILLM
        from distilabel.pipeline import Pipeline
        from distilabel.steps.tasks import ChatGeneration

        llm = OpenAILLM(
            model=arguments.model,
            base_url=arguments.base_url,
            api_key="none",
            generation_kwargs={"max_new_tokens": MAX_TOKENS},
            **self.options.get("llm", {}),
        )
        self._task = {
            "llm": llm,
            "add_raw_input": False,
            "add_raw_output": False,
            "use_cache": False,
        }
        self._answered: list[tuple[str, str | None]] = []
        self._task_class = ChatGeneration
        self._pipeline = Pipeline("teacher", cache_dir=folder)

    def generate(self) -> None:
        if self.options.get("mode", "pipeline") == "task":
            self._generate_with_task()
        else:
            self._generate_with_pipeline(self.options.get("replicas", 2))

    def _generate_with_pipeline(self, replicas: int) -> None:
        from distilabel.steps import StepResources

        with self._pipeline:
            batch = max(1, self.arguments.concurrency // replicas)
            self._task_class(
                **self._task, input_batch_size=batch, resources=StepResources(replicas=replicas)
            )
        dataset = self._pipeline.run(
            use_cache=False, dataset=self.rows, dataset_batch_size=len(self.rows)
        )
        train = dataset["default"]["train"]
        self._answered = list(zip(train["id"], train["generation"], strict=True))

    def _generate_with_task(self) -> None:
        task, size = self._task_class(**self._task), self.arguments.concurrency
        task.load()
        for start in range(0, len(self.rows), size):
            try:
                answered = next(task.process(self.rows[start : start + size]))
            except Exception:  # as in a pipeline: the batch is lost, the run goes on
                traceback.print_exc()
            else:
                self._answered += [(row["id"], row["generation"]) for row in answered]

    def stop(self) -> None:
        for child in multiprocessing.active_children():
            child.terminate()
            child.join(5)

    def answers(self) -> Iterable[tuple[str, str | None]]:
        """When cut short, what the pipeline had written or was about to write."""
        if self._answered:
            return self._answered
        import pyarrow.parquet

        waiting = getattr(self._pipeline._write_buffer, "_buffers", {})
        tables = [
            pyarrow.parquet.read_table(file).to_pylist()
            for file in self.folder.glob("**/data/**/*.parquet")
        ]
        return [
            (row["id"], row["generation"]) for rows in [*tables, *waiting.values()] for row in rows
        ]


if __name__ == "__main__":
    compete(Distilabel)
