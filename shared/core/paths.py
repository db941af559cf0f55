"""Every blob name, in one place.

Names are deterministic: a repeated execution writes the same blobs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

DATASETS = "datasets"
RUNS = "runs"
JSON_LINES = "application/x-ndjson"  # content type of files of rows
TRIGGER_PATH = f"{DATASETS}/{{task}}/{{name}}/train.jsonl"
UPLOADS_PATH = f"{DATASETS}/{{name}}"  # every blob
PROBLEM_SUFFIX = ".problem.json"  # of the file beside a blob that says why it starts nothing
MAX_BLOB_NAME = 1024  # characters

Split = Literal["train", "validation", "test"]
# In the order in which rows count: of rows that are the same, the first is used.
SPLITS: tuple[Split, ...] = get_args(Split)
# The splits whose rows the teacher answers. Rows of the others are kept for evaluation.
ASKED_SPLITS: tuple[Split, ...] = ("train", "validation")


# Blobs of container `runs` that belong to no run: no run id begins with an underscore.
RUN_QUEUE = "_app/run-queue.json"
RUN_INDEX = "_app/runs/"
DELETIONS = "_app/deletions/"


def deletion(run_id: str) -> str:
    """Return the record of a deletion, from its request until everything is deleted."""
    return f"{DELETIONS}{run_id}.json"


def retention(hub: str) -> str:
    """Return where the next look of the app with this task hub for old runs begins."""
    return f"_app/retention/{hub}.json"


def tombstone(run_id: str) -> str:
    """Return what stays of a deleted run: its id, which no other run may get."""
    return f"_app/deleted/{run_id}.json"


def monthly_spend(month: str) -> str:
    """Return what all runs have spent in a month, `YYYY-MM`."""
    return f"_app/spend/{month}.json"


def dataset_file(task: str, name: str, file_name: str = "") -> str:
    """Return the path of a file of a dataset, or of its folder."""
    return f"{DATASETS}/{task}/{name}/{file_name}"


def run_file(run_id: str, file_name: str = "") -> str:
    """Return the path of a file of a run, or of its folder."""
    return f"{RUNS}/{run_id}/{file_name}"


def beside(train_path: str, file_name: str) -> str:
    """Return the path of a file in the same folder as the training set."""
    return f"{train_path.rpartition('/')[0]}/{file_name}"


def split_path(path: str) -> tuple[str, str]:
    """Split `container/blob/name` into container and blob name."""
    container, _, name = path.partition("/")
    return container, name


@dataclass(frozen=True, slots=True)
class RunPaths:
    """Blob names of one run, relative to container `runs`."""

    run_id: str

    @property
    def folder(self) -> str:
        """Return the folder of all the run's blobs, with its slash."""
        return f"{self.run_id}/"

    @property
    def request(self) -> str:
        return f"{self.run_id}/request.json"

    @property
    def actions(self) -> str:
        """Return the list of who started and steered the run."""
        return f"{self.run_id}/actions.json"

    @property
    def specification(self) -> str:
        return f"{self.run_id}/run.json"

    def teacher(self, round_: int) -> str:
        """Return the settings by which a round asks its teacher."""
        return f"{self.run_id}/teachers/{round_}.json"

    def input(self, split: Split) -> str:
        """Return the run's copy of a dataset, which may be overwritten while the run is active."""
        return f"{self.run_id}/input/{split}.jsonl"

    def plan(self, split: Split) -> str:
        return f"{self.run_id}/plan/{split}.json"

    def planned(self, split: Split, number: int) -> str:
        """Return the shards of one range of an input."""
        return f"{self.run_id}/plan/{split}/{number:06d}.json"

    def planned_rejected(self, split: Split, number: int) -> str:
        """Return the rows of a range that the scan rejected."""
        return f"{self.run_id}/plan/{split}/{number:06d}.rejected.jsonl"

    def scan(self, round_: int) -> str:
        """Return the folder of a scan's intermediate files, deleted once the plan is written."""
        return f"{self.run_id}/plan/scan-{round_}/"

    def scanned(self, round_: int, split: Split, number: int) -> str:
        return f"{self.scan(round_)}{split}/{number:06d}.json"

    def scanned_rejected(self, round_: int, split: Split, number: int) -> str:
        return f"{self.scan(round_)}{split}/{number:06d}.rejected.jsonl"

    def hashes(self, round_: int, split: Split, number: int) -> str:
        return f"{self.scan(round_)}{split}/{number:06d}.hashes"

    def duplicates(self, round_: int, split: Split, number: int) -> str:
        """Return the folder of one range's duplicates: a file for each group of hashes."""
        return f"{self.scan(round_)}duplicates/{split}/{number:06d}/"

    def near_duplicates(self, round_: int, split: Split, number: int) -> str:
        """Return the rows of later splits that nearly repeat a row of one range."""
        return f"{self.scan(round_)}near-duplicates/{split}/{number:06d}.jsonl"

    def journals(self, split: Split) -> str:
        return f"{self.run_id}/shards/{split}/"

    def journal(self, split: Split, shard: int) -> str:
        return f"{self.journals(split)}{shard:08d}.jsonl"

    def dataset(self, split: Split) -> str:
        """Return the student's dataset."""
        return f"{self.run_id}/{split}.jsonl"

    def provenance(self, split: Split) -> str:
        """Return the file that says where each example of a dataset comes from."""
        return f"{self.run_id}/{split}.provenance.jsonl"

    def part(self, name: str, split: Split, number: int) -> str:
        """Return a part of an output that has more blocks than a blob may have."""
        output = name.removeprefix(f"{self.run_id}/")
        return f"{self.run_id}/parts/{output}/{split}-{number:04d}.jsonl"

    @property
    def trainings(self) -> str:
        """Return the folder of the records of all students' fine-tuning jobs."""
        return f"{self.run_id}/finetune/"

    def training(self, student: int) -> str:
        """Return the record of one student's fine-tuning jobs."""
        return f"{self.trainings}{student}.json"

    @property
    def left_out_deployments(self) -> str:
        """Return the folder of the teacher's deployments that were left out: a file for each."""
        return f"{self.run_id}/left-out/"

    @property
    def capabilities(self) -> str:
        """Return what preflight has learned about the teacher."""
        return f"{self.run_id}/capabilities.json"

    @property
    def budget(self) -> str:
        """Return the ledger of what the run's requests use."""
        return f"{self.run_id}/budget.json"

    @property
    def rejected(self) -> str:
        return f"{self.run_id}/rejected.jsonl"

    @property
    def report(self) -> str:
        return f"{self.run_id}/report.json"

    @property
    def card(self) -> str:
        return f"{self.run_id}/README.md"
