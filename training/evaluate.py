"""Measures how often a student's answer equals the reference: greedy answers to a chat dataset.

`final-line` compares the last lines, where labels and results stand; `whole` compares whole
answers. Case doesn't count. Writes JSON: rows, equal, accuracy, `commonest` (the accuracy of always
giving the most frequent reference), and each answer.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from chat_rows import read_rows
from transformers import AutoModelForCausalLM, AutoTokenizer

COMPARISONS = ("final-line", "whole")


def parse_arguments() -> argparse.Namespace:
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--model", required=True, help="folder of a model, or its Hugging Face id")
    flags.add_argument("--data", type=Path, required=True)
    flags.add_argument("--output", type=Path, required=True, help="JSON file")
    flags.add_argument("--compare", choices=COMPARISONS, default=COMPARISONS[0])
    flags.add_argument("--max-new-tokens", type=int, default=64)
    flags.add_argument("--batch-size", type=int, default=16)
    flags.add_argument("--limit", type=int, help="number of rows, from the first; default: all")
    return flags.parse_args()


def main() -> None:
    arguments = parse_arguments()
    rows = read_rows(arguments.data)[: arguments.limit]
    references = [row[-1]["content"] for row in rows]
    answers = generate_answers(
        arguments.model,
        [row[:-1] for row in rows],
        arguments.batch_size,
        arguments.max_new_tokens,
    )
    result = {
        "model": arguments.model,
        "compare": arguments.compare,
        **scores(answers, references, arguments.compare),
    }
    text = json.dumps(result, ensure_ascii=False, indent=1)
    arguments.output.write_text(text, encoding="utf-8")
    print(f"{result['equal']} of {len(rows)} answers agree ({result['accuracy']:.1%})", flush=True)


def scores(answers: list[str], references: list[str], compare: str) -> dict[str, Any]:
    """Return how many answers equal their references, and all of them."""
    compared_references = [comparable(reference, compare) for reference in references]
    is_equal = [
        comparable(answer, compare) == reference
        for answer, reference in zip(answers, compared_references, strict=True)
    ]
    equal = sum(is_equal)
    [(_, most_frequent)] = Counter(compared_references).most_common(1)
    return {
        "rows": len(answers),
        "equal": equal,
        "accuracy": equal / len(answers),
        "commonest": most_frequent / len(answers),
        "answers": [
            {"answer": answer, "reference": reference, "equal": agrees}
            for answer, reference, agrees in zip(answers, references, is_equal, strict=True)
        ],
    }


def generate_answers(
    model_name: str, prompts: list[list[dict[str, str]]], batch_size: int, max_new_tokens: int
) -> list[str]:
    """Return greedy answers, in order.

    Prompts are padded on the left, so the answers of a batch begin together.
    """
    tokenizer: Any = AutoTokenizer.from_pretrained(model_name, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(model_name, dtype=dtype).to(device).eval()
    answers: list[str] = []
    for start in range(0, len(prompts), batch_size):
        batch = tokenizer.apply_chat_template(
            prompts[start : start + batch_size],
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        ).to(device)
        with torch.inference_mode():
            sequences = model.generate(
                **batch,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
        new_tokens = sequences[:, batch["input_ids"].shape[1] :]
        answers += tokenizer.batch_decode(new_tokens, skip_special_tokens=True)
    return answers


def comparable(text: str, compare: str) -> str:
    """Return the part of a text that is compared, without regard to case."""
    text = text.strip()
    if compare == "final-line" and text:
        text = text.splitlines()[-1].strip()
    return text.casefold()


if __name__ == "__main__":
    main()
