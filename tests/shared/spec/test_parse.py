"""The run specification: every problem at once, and no setting that is silently ignored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from docs.make import documents
from shared.core.errors import InvalidInput
from shared.core.ids import RUN_ID
from shared.core.settings import load
from shared.spec.checks import path_problem
from shared.spec.models import RunSpec
from shared.spec.parse import parse_spec
from shared.spec.resolution import resolve

ROOT = Path(__file__).parents[3]
REASONING = {"chain_of_thought": True, "student_learns": "reasoning"}
MAJORITY = {"samples": 3, "select": "majority"}
TRAIN = "datasets/nli/x/train.jsonl"


def parse(**fields: Any) -> RunSpec:
    return parse_spec({"task": "nli", "train": TRAIN, **fields})


def places(data: object) -> set[str]:
    with pytest.raises(InvalidInput) as error:
        parse_spec(data)
    return {problem["where"] for problem in error.value.details}


def test_the_name_of_a_schema_is_dropped_and_must_be_a_text() -> None:
    assert parse(**{"$schema": "run.schema.json"}) == parse()
    assert "$schema" not in parse(**{"$schema": "run.schema.json"}).document
    assert places({"task": "nli", "train": TRAIN, "$schema": 7}) == {"$schema"}


def test_of_thousands_of_problems_the_first_ones_are_told() -> None:
    unknown = dict.fromkeys((f"key{number}" for number in range(3000)), 1)
    with pytest.raises(InvalidInput) as error:
        parse(**unknown)
    assert len(error.value.details) == 101
    assert error.value.details[-1]["problem"].startswith("2,900 more problems")


@pytest.mark.parametrize(
    ("student", "place"),
    [
        ({"backend": "azureml", "model": "gpt-4.1"}, "student.model"),
        ({"backend": "azureml", "model": "azureml://registries/r/models/m"}, "student.model"),
        ({"backend": "azure_openai", "model": "my model"}, "student.model"),
        ({"backend": "azureml_command", "model": "a/b/c"}, "student.model"),
        ({"backend": "azureml_command", "model": "a/b", "environment": "an image"}, "environment"),
        ({"compute": "7gpus"}, "student.compute"),
        ({"instance_type": "Standard NC6"}, "student.instance_type"),
        ([{"model": "gpt-4.1"}, {"model": "Novel 7B"}], "student.1.model"),
    ],
)
def test_names_that_no_service_could_know_are_refused_at_their_place(
    student: object, place: str
) -> None:
    [where] = places({"task": "nli", "train": TRAIN, "student": student})
    assert where.endswith(place)


def test_defaults_make_a_whole_specification() -> None:
    assert parse().min_rows == 65
    assert parse(quality={"min_rows": 30}).min_rows == 30


def test_no_fewer_rows_are_enough_than_the_service_that_trains_demands() -> None:
    assert parse(quality={"min_rows": 3}).min_rows == 10
    assert (
        parse(
            quality={"min_rows": 3}, student={"backend": "azureml_command", "model": "a/b"}
        ).min_rows
        == 3
    )


def test_datasets_alone_need_no_more_rows_than_are_asked_for() -> None:
    assert parse(student=None).min_rows == 1
    spec = parse(student=None, quality={"min_rows": 7})
    assert (spec.min_rows, spec.min_examples, spec.students) == (7, 1, [])
    assert parse_spec(spec.document) == spec
    assert "student" in parse().document


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"quality": {"target_rows": 64}},
            "is 64, but at least 65 training rows are required: raise it",
        ),
        (
            {"quality": {"target_rows": 20, "min_rows": 30}},
            "is 20, but at least 30 training rows are required: raise it, or lower "
            "quality.min_rows",
        ),
        (
            {
                "quality": {"target_rows": 9, "min_rows": 3},
                "student": {
                    "backend": "azureml",
                    "model": "azureml://registries/r/models/m/versions/1",
                },
            },
            "is 9, but at least 10 training rows are required: raise it",
        ),
    ],
)
def test_a_target_below_the_minimum_of_rows_is_refused(
    fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidInput) as error:
        parse(**fields)
    assert error.value.details == [{"where": "quality.target_rows", "problem": problem}]


def test_a_target_of_datasets_alone_or_of_a_student_that_is_yet_unknown_may_be_small() -> None:
    assert parse(student=None, quality={"target_rows": 1}).quality.target_rows == 1
    assert parse(quality={"target_rows": 5, "min_rows": 3}).quality.target_rows == 5


def test_all_problems_are_reported_at_once() -> None:
    found = places(
        {
            "task": "math",
            "train": "https://elsewhere/train.jsonl",
            "speed": 11,
            "teacher": {"temperature": 3, "stop": []},
            "prompt": {"chain_of_density": True},
        }
    )
    assert found == {
        "train",
        "speed",
        "teacher.temperature",
        "teacher.stop",
        "prompt.chain_of_density",
    }


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"qualty": {}}, "qualty isn't a known setting: did you mean quality?"),
        (
            {"quality": {"min_row": 9}},
            "quality.min_row isn't a known setting: did you mean min_rows?",
        ),
        ({"student": {"modle": "x"}}, "student.modle isn't a known setting: did you mean model?"),
        (
            {"student": [{"modle": "x"}]},
            "student.0.modle isn't a known setting: did you mean model?",
        ),
        ({"budget": {"speed": 1}}, "budget.speed isn't a known setting"),
        ({"student": []}, "student List should have at least 1 item, not 0"),
    ],
)
def test_a_problem_says_what_to_write_instead(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse(**fields)
    problems = [f"{entry['where']} {entry['problem']}" for entry in error.value.details]
    assert problem in problems


@pytest.mark.parametrize("data", [None, [], "nli", 7])
def test_a_body_that_is_no_object_is_an_error(data: object) -> None:
    assert places(data) == {"body"}


@pytest.mark.parametrize(
    ("task", "setting"),
    [
        ("math", {"chain_of_density": True}),
        ("nli", {"max_summary_words": 50}),
        ("summarization", {"chain_of_thought": True}),
        ("conversation", {"chain_of_thought": True}),
        ("conversation", {"student_learns": "reasoning"}),
    ],
)
def test_a_setting_that_a_task_cannot_use_is_an_error(task: str, setting: dict[str, Any]) -> None:
    [where] = places({"task": task, "train": TRAIN, "prompt": setting})
    assert where == f"prompt.{next(iter(setting))}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7-up",
        "a/b",
        "../x",
        "x\n",
        "math-x:generate:train",
        "a b",
        "x" * 101,
        "%2e",
        "a.b",
        7,
        ["x"],
    ],
)
def test_a_run_to_reuse_is_named_by_a_run_id_and_nothing_that_leads_elsewhere(text: object) -> None:
    assert {
        where.partition(".")[0] for where in places({"task": "nli", "train": TRAIN, "reuse": text})
    } == {"reuse"}


def test_a_run_to_reuse_may_have_any_run_id() -> None:
    for run_id in ("nli-mine-0123456789ab", "A", "x_" + "y" * 98):
        assert RUN_ID.fullmatch(run_id)
        assert parse(reuse=run_id).reuse == run_id
    assert parse().reuse is None


def test_learning_the_reasoning_needs_chain_of_thought() -> None:
    assert places({"task": "nli", "train": TRAIN, "prompt": {"student_learns": "reasoning"}}) == {
        "prompt.student_learns"
    }


def test_hyperparameters_are_checked_against_the_student() -> None:
    student = {
        "model": "azureml://registries/azureml-mistral/models/Ministral-3B/versions/1",
        "hyperparameters": {"x": 1},
    }
    assert places({"task": "nli", "train": TRAIN, "student": student}) == {
        "student.hyperparameters"
    }


@pytest.mark.parametrize("value", [None, [1]])
def test_a_hyperparameter_of_no_possible_type_is_one_problem(value: Any) -> None:
    student = {"model": "gpt-4.1-mini", "hyperparameters": {"n_epochs": value}}
    with pytest.raises(InvalidInput) as error:
        parse_spec({"task": "nli", "train": TRAIN, "student": student})
    assert error.value.details == [
        {
            "where": "student.hyperparameters.n_epochs",
            "problem": "must be a number, a text, true or false",
        }
    ]


@pytest.mark.parametrize(
    "path",
    [
        "https://x.blob.core.windows.net/datasets/a.jsonl",
        "//host/a.jsonl",
        "datasets/../secrets/a.jsonl",
        "datasets//a.jsonl",
        "datasets/a.jsonl?sv=1",
        "azure-webjobs-secrets/host.jsonl",
        "datasets/a.json",
        "datasets",
        "datasets/a\n.jsonl",
    ],
)
def test_only_paths_in_the_configured_account_are_taken(path: str) -> None:
    assert path_problem(path)


def test_a_training_set_cannot_validate_itself() -> None:
    assert places({"task": "nli", "train": TRAIN, "validation": TRAIN}) == {"validation"}
    other = "datasets/nli/x/other.jsonl"
    assert places({"task": "nli", "train": TRAIN, "validation": other, "test": other}) == {"test"}


@pytest.mark.parametrize(
    ("task", "fields", "where"),
    [
        ("math", {"quality": {"samples": 3}}, "quality.samples"),
        ("math", {"quality": {"select": "majority"}}, "quality.samples"),
        ("math", {"quality": {"select": "majority", "samples": 17}}, "quality.samples"),
        ("math", {"quality": {"min_agreement": 0.6}}, "quality.min_agreement"),
        (
            "math",
            {"quality": {"select": "reference", "min_agreement": 0.6}},
            "quality.min_agreement",
        ),
        (
            "math",
            {"quality": {"select": "majority", "samples": 3, "min_agreement": 1.5}},
            "quality.min_agreement",
        ),
        (
            "nli",
            {"quality": {"select": "majority", "samples": 3, "tolerance": 0.01}},
            "quality.tolerance",
        ),
        ("summarization", {"quality": {"select": "majority", "samples": 3}}, "quality.select"),
        ("summarization", {"quality": {"keep": 2}}, "quality.keep"),
        ("conversation", {"quality": {"keep": 2}}, "quality.keep"),
        ("nli", {"quality": {"samples": 3, "select": "majority", "keep": 2}}, "quality.keep"),
        ("nli", {"prompt": REASONING, "quality": {"keep": 2}}, "quality.keep"),
        ("nli", {"prompt": REASONING, "quality": {**MAJORITY, "keep": 4}}, "quality.keep"),
        ("nli", {"prompt": REASONING, "quality": {**MAJORITY, "keep": 0}}, "quality.keep"),
        (
            "nli",
            {"prompt": REASONING, "quality": {**MAJORITY, "rationalise": True}},
            "quality.rationalise",
        ),
        (
            "nli",
            {"quality": {"select": "reference", "rationalise": True}},
            "quality.rationalise",
        ),
        ("summarization", {"quality": {"rationalise": True}}, "quality.rationalise"),
        (
            "nli",
            {"answers": {"source": "provided"}, "quality": {"rationalise": True}},
            "quality.rationalise",
        ),
        ("nli", {"answers": {"source": "provided"}, "quality": {"keep": 2}}, "quality.keep"),
        ("conversation", {"quality": {"select": "reference"}}, "quality.select"),
        ("nli", {"quality": {"select": "vote"}}, "quality.select"),
        ("nli", {"quality": {"skip_checks": ["loop"]}}, "quality.skip_checks"),
        ("conversation", {"quality": {"skip_checks": ["length"]}}, "quality.skip_checks"),
        ("conversation", {"quality": {"skip_checks": ["lop"]}}, "quality.skip_checks.0"),
        (
            "nli",
            {"quality": {"select": "majority", "samples": 3}, "teacher": {"temperature": 0}},
            "teacher.temperature",
        ),
        ("math", {"answers": {"labels": ["a", "b"]}}, "answers.labels"),
        ("math", {"prompt": {"teacher_system_mode": "replace"}}, "prompt.teacher_system_mode"),
        ("nli", {"prompt": {"student_system_mode": "replace"}}, "prompt.student_system_mode"),
        ("nli", {"prompt": {"student_system": " "}}, "prompt.student_system"),
        ("nlu_qa", {"answers": {"labels": ["a", "b"]}}, "answers.labels"),
        ("summarization", {"answers": {"aliases": {"0": "a"}}}, "answers.aliases"),
        ("nli", {"answers": {"labels": ["a"]}}, "answers.labels"),
        ("nli", {"answers": {"labels": ["a", "b", "A."]}}, "answers.labels"),
        ("nli", {"answers": {"labels": [*"ab"], "aliases": {"0": "c"}}}, "answers.aliases.0"),
        ("nli", {"answers": {"labels": [*"ab"], "aliases": {"A": "b"}}}, "answers.aliases.A"),
        ("nli", {"budget": {"max_cost": 5}}, "budget.max_cost"),
        ("nli", {"budget": {"max_cost": 5, "prompt_price": 2}}, "budget.max_cost"),
        ("nli", {"budget": {"max_tokens": 0}}, "budget.max_tokens"),
        ("nli", {"holdout": {"fraction": 0.6}}, "holdout.fraction"),
        (
            "nli",
            {"holdout": {"fraction": 0.1}, "validation": "datasets/nli/x/validation.jsonl"},
            "holdout.fraction",
        ),
        (
            "nli",
            {"student": {"model": "Ministral-3B", "training_type": "developer"}},
            "student.training_type",
        ),
        (
            "nli",
            {"student": {"model": "Ministral-3B", "training_type": "data_zone"}},
            "student.training_type",
        ),
        (
            "nli",
            {"student": {"model": "gpt-oss-20b", "training_type": "standard"}},
            "student.training_type",
        ),
        (
            "nli",
            {"student": {"model": "gpt-4o", "training_type": "Global"}},
            "student.training_type",
        ),
        (
            "nli",
            {"student": {"backend": "azureml", "training_type": "global"}},
            "student.training_type",
        ),
    ],
)
def test_settings_that_would_do_nothing_or_cannot_work_are_refused_by_name(
    task: str, fields: dict[str, Any], where: str
) -> None:
    assert places({"task": task, "train": TRAIN, **fields}) == {where}


def test_a_student_is_trained_where_its_model_is_unless_it_says_otherwise() -> None:
    for student, trained_in in (
        ({"model": "gpt-4.1-mini"}, "standard"),
        ({"model": "gpt-4.1-mini", "training_type": "developer"}, "developer"),
        ({"model": "Ministral-3B"}, "global"),
        ({"model": "gpt-4.1-mini", "training_type": "data_zone"}, "data_zone"),
    ):
        (one,) = parse(student=student).students
        assert one.trained_in == trained_in


def test_why_a_row_cannot_make_several_examples_is_told_with_what_to_do() -> None:
    answers = {"task": "nli", "train": TRAIN, "quality": {**MAJORITY, "keep": 2}}
    with pytest.raises(InvalidInput) as error:
        parse_spec(answers)
    assert "needs prompt.student_learns: reasoning" in error.value.details[0]["problem"]
    with pytest.raises(InvalidInput) as error:
        parse_spec({**answers, "prompt": REASONING, "quality": {**MAJORITY, "keep": 5}})
    problem = "3 samples make at most 3 examples a row: raise quality.samples"
    assert error.value.details == [{"where": "quality.keep", "problem": problem}]
    parse_spec({**answers, "prompt": REASONING, "quality": {**MAJORITY, "keep": 3}})


def test_what_a_limit_of_cost_lacks_is_told() -> None:
    with pytest.raises(InvalidInput) as error:
        parse(budget={"max_cost": 5, "prompt_price": 2})
    assert "budget.completion_price" in error.value.details[0]["problem"]
    assert "prompt_price" not in error.value.details[0]["problem"].replace(
        "budget.completion_price", ""
    )


def test_choosing_among_samples_is_taken_where_answers_can_be_compared() -> None:
    for task in ("nli", "nlu_qa", "math"):
        for quality in ({"samples": 5, "select": "majority"}, {"select": "reference"}):
            parse_spec({"task": task, "train": TRAIN, "quality": quality})
    own = {"holdout": {"fraction": 0}, "validation": "datasets/nli/x/validation.jsonl"}
    assert parse(
        **own, budget={"max_cost": 5, "prompt_price": 0, "completion_price": 0}
    ).budget.is_set
    assert not parse(budget={"prompt_price": 1, "completion_price": 1}).budget.is_set


def test_a_resolved_specification_is_read_back_as_it_is() -> None:
    spec = parse(teacher={"stop": ["END"]}, student={"hyperparameters": {"learning_rate": 0.001}})
    assert parse_spec(json.loads(spec.model_dump_json(exclude_none=True))) == spec


@pytest.mark.parametrize(
    ("target", "generation", "rows_per_shard"),
    [
        (None, {}, 512),
        (1000, {}, 128),
        (1000, {"rows_per_shard": 300}, 300),
        (100_000, {}, 390),
        (100_000, {"parallel_shards": 16}, 195),
        (1_000_000, {}, 512),
    ],
)
def test_a_run_that_ends_at_a_number_of_rows_has_smaller_shards_unless_it_says_otherwise(
    target: int | None, generation: dict[str, int], rows_per_shard: int
) -> None:
    settings = load({"DISTILLATION_STORAGE": "x"})
    own = {"answers": {"source": "provided"}, "student": None}
    spec = parse(quality={"target_rows": target}, generation=generation, **own)
    resolved = resolve(spec, settings, "run")
    assert resolved.generation.rows_per_shard == rows_per_shard
    changed = {**resolved.document, "quality": {"target_rows": 5_000}}
    again = resolve(parse_spec(changed), settings, "run")
    assert again.generation == resolved.generation, "a resumed run keeps its shards"


def test_the_published_schemas_are_those_of_the_code() -> None:
    for path, text in documents().items():
        assert path.read_text(encoding="utf-8") == text, "run: python -m docs.make"
