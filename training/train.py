"""Trains a student on chat rows: LoRA with transformers, peft and trl, on one GPU or on the CPU.

Writes to --output: `adapter/` (the LoRA weights), `model/` (the student with the adapter merged,
and its tokenizer) and `metrics.jsonl`. While it runs there is `checkpoints/`: started again, it
resumes from the last one. The app checks hyperparameters by the same names
(SCRIPT_HYPERPARAMETERS in shared/students/backends.py); this script imports nothing of the app.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
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

# intervals, as shares of all steps
LOGGING_INTERVAL = 0.02
EVALUATION_INTERVAL = 0.1
CHECKPOINT_INTERVAL = 0.1
MAX_CHECKPOINTS = 2  # the last, and the one before in case the last is incomplete


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint of an earlier start."""

    folder: Path
    step: int


def parse_arguments() -> argparse.Namespace:
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
    flags.add_argument("--warmup_ratio", type=float, default=0.03, help="share of all steps")
    flags.add_argument("--weight_decay", type=float, default=0.0)
    flags.add_argument(
        "--max_length", type=int, default=2048, help="tokens; longer rows are skipped"
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
        help="also train embeddings and head, which students with random weights need",
    )
    return flags.parse_args()


def main() -> None:
    arguments = parse_arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    if not tokenizer.chat_template:
        sys.exit(f"{arguments.model} has no chat template, which teaching conversations needs")
    training = fitting_rows(tokenizer, arguments.training_data, arguments.max_length, "training")
    validation: list[Row] = []
    if arguments.validation_data:
        validation = fitting_rows(
            tokenizer, arguments.validation_data, arguments.max_length, "validation"
        )
    checkpoint = last_checkpoint(arguments.output / "checkpoints")
    print(f"resuming from step {checkpoint.step}" if checkpoint else "starting", flush=True)
    trainer = make_trainer(arguments, tokenizer, training, validation, checkpoint)
    trainable = sum(
        weights.numel() for weights in trainer.model.parameters() if weights.requires_grad
    )
    print(
        f"{len(training)} training rows, {trainable:,} trainable parameters, "
        f"on {trainer.args.device}",
        flush=True,
    )
    trainer.train(resume_from_checkpoint=str(checkpoint.folder) if checkpoint else None)
    save(trainer, tokenizer, arguments.output)


def make_trainer(
    arguments: argparse.Namespace,
    tokenizer: Any,
    training: list[Row],
    validation: list[Row],
    checkpoint: Checkpoint | None,
) -> SFTTrainer:
    learned = learned_tokens(tokenizer, training + validation)
    model = load_model(arguments.model)
    configuration = training_configuration(
        arguments,
        has_validation=bool(validation),
        is_resumed=checkpoint is not None,
        assistant_only=learned == "assistant",
    )
    log = MetricsLog(arguments.output / "metrics.jsonl", checkpoint.step if checkpoint else 0)
    return SFTTrainer(
        model=model,
        args=configuration,
        processing_class=tokenizer,
        train_dataset=as_dataset(training, learned),
        eval_dataset=as_dataset(validation, learned) if validation else None,
        peft_config=lora(arguments, model),
        callbacks=[log],
    )


def fitting_rows(tokenizer: Any, path: Path, max_length: int, split: str) -> list[Row]:
    """Return the rows that fit as a whole: one that is cut off would lose its answer."""
    rows = read_rows(path)
    fitting: list[Row] = []
    for row in rows:
        tokens = tokenizer.apply_chat_template(row, return_dict=True)["input_ids"]
        if len(tokens) <= max_length:
            fitting.append(row)
    skipped = len(rows) - len(fitting)
    if skipped:
        print(
            f"skipped {skipped} of {len(rows)} {split} rows: over {max_length} tokens", flush=True
        )
    if not fitting:
        sys.exit(f"every {split} row has over {max_length} tokens: raise max_length")
    return fitting


def learned_tokens(tokenizer: Any, rows: list[Row]) -> str:
    """Return the most precise loss that the chat template allows.

    `assistant` is the loss of all assistant messages, `last` of the last one, `all` of every token.
    """
    try:
        # raises if neither the template nor trl can tell the turns apart
        get_training_chat_template(tokenizer)
    except ValueError:
        pass
    else:
        print("loss: assistant messages", flush=True)
        return "assistant"
    if all(sum(message["role"] == "assistant" for message in row) == 1 for row in rows):
        print(
            "loss: the last message of each row, its only answer "
            "(the chat template does not mark turns)",
            flush=True,
        )
        return "last"
    print("loss: ALL tokens, prompts included (the chat template does not mark turns)", flush=True)
    return "all"


def as_dataset(rows: list[Row], learned: str) -> Dataset:
    if learned == "last":
        return Dataset.from_list([{"prompt": row[:-1], "completion": row[-1:]} for row in rows])
    return Dataset.from_list([{"messages": row} for row in rows])


def load_model(name: str) -> Any:
    """Return the model in bfloat16 if the GPU has it, else in 32 bits.

    LoRA weights are too small for 16-bit floats.
    """
    dtype = torch.bfloat16 if has_bfloat16() else torch.float32
    return AutoModelForCausalLM.from_pretrained(name, dtype=dtype)


def has_bfloat16() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def lora(arguments: argparse.Namespace, model: Any) -> LoraConfig:
    """Return the configuration of adapters on every linear layer."""
    whole_layers = embedding_layers(model) if arguments.train_embeddings else []
    has_tied_embeddings = bool(getattr(model.config, "tie_word_embeddings", False))
    return LoraConfig(
        task_type="CAUSAL_LM",
        target_modules="all-linear",
        r=arguments.lora_r,
        lora_alpha=arguments.lora_alpha,
        lora_dropout=arguments.lora_dropout,
        modules_to_save=whole_layers or None,
        ensure_weight_tying=bool(whole_layers) and has_tied_embeddings,
    )


def embedding_layers(model: Any) -> list[str]:
    """Return the names of the model's embeddings and head."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    names: list[str] = []
    for name, module in model.named_modules():
        if any(module is end for end in ends):
            names.append(name.rpartition(".")[2])
    return names


def training_configuration(
    arguments: argparse.Namespace, *, has_validation: bool, is_resumed: bool, assistant_only: bool
) -> SFTConfig:
    has_gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(arguments.output / "checkpoints"),
        seed=arguments.seed,
        num_train_epochs=arguments.num_train_epochs,
        per_device_train_batch_size=arguments.per_device_train_batch_size,
        per_device_eval_batch_size=arguments.per_device_train_batch_size,
        gradient_accumulation_steps=arguments.gradient_accumulation_steps,
        gradient_checkpointing=has_gpu,  # trades time for memory, of which a CPU has enough
        learning_rate=arguments.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=arguments.warmup_ratio,  # below 1 it is a share of all steps
        weight_decay=arguments.weight_decay,
        max_length=arguments.max_length,
        assistant_only_loss=assistant_only,
        bf16=has_bfloat16(),
        fp16=has_gpu and not has_bfloat16(),
        use_cpu=not has_gpu,
        dataloader_pin_memory=has_gpu,
        logging_steps=LOGGING_INTERVAL,
        logging_first_step=True,
        eval_strategy="steps" if has_validation else "no",
        eval_steps=EVALUATION_INTERVAL,
        eval_on_start=has_validation and not is_resumed,  # the student's loss before training
        save_strategy="steps",
        save_steps=CHECKPOINT_INTERVAL,
        save_total_limit=MAX_CHECKPOINTS,
        report_to="none",  # MetricsLog reports
        disable_tqdm=True,
    )


def last_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the newest complete checkpoint. Its state is written last, so it proves the rest."""
    complete: list[Checkpoint] = []
    for state in folder.glob("checkpoint-*/trainer_state.json"):
        try:
            step = int(json.loads(state.read_bytes())["global_step"])
        except (ValueError, KeyError):
            continue
        complete.append(Checkpoint(state.parent, step))
    return max(complete, key=lambda checkpoint: checkpoint.step, default=None)


def save(trainer: SFTTrainer, tokenizer: Any, output: Path) -> None:
    """Save the adapter and the merged model, then delete the checkpoints.

    The checkpoints go last: until then, a new start finds them.
    """
    model: Any = trainer.accelerator.unwrap_model(trainer.model)
    model.save_pretrained(output / "adapter")
    merged = model.merge_and_unload()
    merged.config.use_cache = True
    merged.save_pretrained(output / "model")
    tokenizer.save_pretrained(output / "model")
    shutil.rmtree(output / "checkpoints", ignore_errors=True)
    print(f"saved adapter/ and model/ after {trainer.state.global_step} steps", flush=True)


if __name__ == "__main__":
    main()
