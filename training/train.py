"""Trains a student on chat rows: LoRA with transformers, peft and trl, on one GPU or, for small students, on the CPU.

Writes to --output: `adapter/` (the LoRA weights), `model/` (adapter merged into the student, with tokenizer),
`metrics.jsonl`, and while it goes on `checkpoints/`, from the last of which it goes on when it is started again. Hyperparameters
have the names that the app checks (SCRIPT_HYPERPARAMETERS in shared/students/backends.py); this script knows nothing else of it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from chat_rows import Row, read_rows
from datasets import Dataset
from metrics_log import MetricsLog
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer
from trl.chat_template_utils import get_training_chat_template

LOGGED, EVALUATED, SAVED = (
    0.02,
    0.1,
    0.1,
)  # parts of all steps after which something is logged, evaluated, saved
CHECKPOINTS = 2  # kept: the last, and the one before it should the last be half written


def arguments() -> argparse.Namespace:
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--model", required=True, help="folder of a model, or its Hugging Face id")
    flags.add_argument("--training-data", type=Path, required=True)
    flags.add_argument("--validation-data", type=Path)
    flags.add_argument("--output", type=Path, required=True, help="folder")
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--num_train_epochs", type=int, default=3)
    flags.add_argument("--per_device_train_batch_size", type=int, default=8)
    flags.add_argument("--gradient_accumulation_steps", type=int, default=1)
    flags.add_argument("--learning_rate", type=float, default=2e-4)
    flags.add_argument("--warmup_ratio", type=float, default=0.03, help="part of all steps")
    flags.add_argument("--weight_decay", type=float, default=0.0)
    flags.add_argument(
        "--max_length", type=int, default=2048, help="tokens; longer rows are left out"
    )
    flags.add_argument("--lora_r", type=int, default=16)
    flags.add_argument("--lora_alpha", type=int, default=32)
    flags.add_argument("--lora_dropout", type=float, default=0.05)
    flags.add_argument(
        *("--train_embeddings", "--train-embeddings"),
        type=int,
        nargs="?",
        choices=(0, 1),
        default=0,
        const=1,
        help="train embeddings and head too, as a student with random weights needs",
    )
    return flags.parse_args()


def main() -> None:
    given = arguments()
    given.output.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    if not tokenizer.chat_template:
        sys.exit(f"{given.model} has no chat template: it cannot be taught conversations")
    training = fitting(tokenizer, read_rows(given.training_data), given.max_length, "training")
    validation = given.validation_data and fitting(
        tokenizer, read_rows(given.validation_data), given.max_length, "validation"
    )
    checkpoint, step = last_checkpoint(given.output / "checkpoints")
    print(f"going on from step {step}" if checkpoint else "starting from the beginning", flush=True)
    learned = what_is_learned(tokenizer, [*training, *(validation or [])])
    model = load_model(given.model)
    trainer = SFTTrainer(
        model=model,
        args=settings(given, bool(validation), bool(checkpoint), learned == "assistant"),
        processing_class=tokenizer,
        train_dataset=as_dataset(training, learned),
        eval_dataset=as_dataset(validation, learned) if validation else None,
        peft_config=lora(given, model),
        callbacks=[MetricsLog(given.output / "metrics.jsonl", step)],
    )
    trainable = sum(
        weights.numel() for weights in trainer.model.parameters() if weights.requires_grad
    )
    print(
        f"{len(training)} training rows, {trainable:,} trainable parameters, on {trainer.args.device}",
        flush=True,
    )
    trainer.train(resume_from_checkpoint=checkpoint)
    save(trainer, tokenizer, given.output)


def fitting(tokenizer: Any, rows: list[Row], max_length: int, what: str) -> list[Row]:
    """Rows that fit whole: one that is cut off would lose its answer, which is what is to be learned."""
    kept = [
        row
        for row in rows
        if len(tokenizer.apply_chat_template(row, return_dict=True)["input_ids"]) <= max_length
    ]
    if len(kept) < len(rows):
        print(
            f"{len(rows) - len(kept)} of {len(rows)} {what} rows have over {max_length} tokens: left out",
            flush=True,
        )
    if not kept:
        sys.exit(f"every {what} row has over {max_length} tokens: raise max_length")
    return kept


def what_is_learned(tokenizer: Any, rows: list[Row]) -> str:
    """`assistant`: the assistant's turns; `last`: the last one; `all`: every token. The best that the template allows."""
    try:
        get_training_chat_template(
            tokenizer
        )  # raises where neither the template nor trl can tell the turns apart
        print("the loss is that of the assistant's turns", flush=True)
        return "assistant"
    except ValueError:
        pass
    if all(sum(message["role"] == "assistant" for message in row) == 1 for row in rows):
        print(
            "the chat template does not mark turns: the loss is that of the last turn, the only one",
            flush=True,
        )
        return "last"
    print(
        "the chat template does not mark turns: the loss is that of ALL tokens, prompts included",
        flush=True,
    )
    return "all"


def as_dataset(rows: list[Row], learned: str) -> Dataset:
    if learned == "last":
        return Dataset.from_list([{"prompt": row[:-1], "completion": row[-1:]} for row in rows])
    return Dataset.from_list([{"messages": row} for row in rows])


def load_model(name: str) -> Any:
    """In bfloat16 where the GPU has it; elsewhere in 32 bits, as LoRA weights are too small for 16-bit floats."""
    fast = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return AutoModelForCausalLM.from_pretrained(
        name, dtype=torch.bfloat16 if fast else torch.float32
    )


def lora(given: argparse.Namespace, model: Any) -> LoraConfig:
    """Adapters on every linear layer."""
    whole: list[str] = []
    if given.train_embeddings:
        ends = (model.get_input_embeddings(), model.get_output_embeddings())
        whole = [
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if any(module is end for end in ends)
        ]
    tied = bool(whole) and bool(getattr(model.config, "tie_word_embeddings", False))
    return LoraConfig(
        task_type="CAUSAL_LM",
        target_modules="all-linear",
        r=given.lora_r,
        lora_alpha=given.lora_alpha,
        lora_dropout=given.lora_dropout,
        modules_to_save=whole or None,
        ensure_weight_tying=tied,
    )


def settings(
    given: argparse.Namespace, validated: bool, resumed: bool, assistant_only: bool
) -> SFTConfig:
    gpu = torch.cuda.is_available()
    fast = gpu and torch.cuda.is_bf16_supported()
    return SFTConfig(
        output_dir=str(given.output / "checkpoints"),
        seed=given.seed,
        num_train_epochs=given.num_train_epochs,
        per_device_train_batch_size=given.per_device_train_batch_size,
        per_device_eval_batch_size=given.per_device_train_batch_size,
        gradient_accumulation_steps=given.gradient_accumulation_steps,
        gradient_checkpointing=gpu,  # trades time for memory, of which a CPU has enough
        learning_rate=given.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=given.warmup_ratio,  # below 1 it is a part of all steps
        weight_decay=given.weight_decay,
        max_length=given.max_length,
        assistant_only_loss=assistant_only,
        bf16=fast,
        fp16=gpu and not fast,
        use_cpu=not gpu,
        dataloader_pin_memory=gpu,
        logging_steps=LOGGED,
        logging_first_step=True,
        eval_strategy="steps" if validated else "no",
        eval_steps=EVALUATED,
        eval_on_start=validated and not resumed,  # what the student can do untrained
        save_strategy="steps",
        save_steps=SAVED,
        save_total_limit=CHECKPOINTS,
        report_to="none",  # the log is ours
        disable_tqdm=True,
    )


def last_checkpoint(folder: Path) -> tuple[str | None, int]:
    """The newest checkpoint that is whole, and its step. Its state is written last, so that it proves the rest."""
    whole: dict[int, Path] = {}
    for state in folder.glob("checkpoint-*/trainer_state.json"):
        try:
            whole[int(json.loads(state.read_bytes())["global_step"])] = state.parent
        except (ValueError, KeyError):
            continue
    return (str(whole[max(whole)]), max(whole)) if whole else (None, 0)


def save(trainer: SFTTrainer, tokenizer: Any, output: Path) -> None:
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    model.save_pretrained(output / "adapter")
    merged = model.merge_and_unload()
    merged.config.use_cache = True
    merged.save_pretrained(output / "model")
    tokenizer.save_pretrained(output / "model")
    shutil.rmtree(
        output / "checkpoints", ignore_errors=True
    )  # last: until here, a new start finds them
    print(f"saved adapter/ and model/ after {trainer.state.global_step} steps", flush=True)


if __name__ == "__main__":
    main()
