"""How often a student's answer is the reference's: greedy answers to a chat dataset's prompts, and their share of agreement.

`final-line` compares the last line of both, in any case, which is where labels and results stand; `whole` the whole answers.
Writes JSON: rows, equal, accuracy, `commonest` (the accuracy of always giving the most frequent reference), and each answer.
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

COMPARED = ("final-line", "whole")


def arguments() -> argparse.Namespace:
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--model", required=True, help="folder of a model, or its Hugging Face id")
    flags.add_argument("--data", type=Path, required=True)
    flags.add_argument("--output", type=Path, required=True, help="JSON file")
    flags.add_argument("--compare", choices=COMPARED, default=COMPARED[0])
    flags.add_argument("--max-new-tokens", type=int, default=64)
    flags.add_argument("--batch-size", type=int, default=16)
    flags.add_argument("--limit", type=int, help="rows, from the first; default: all")
    return flags.parse_args()


def main() -> None:
    given = arguments()
    rows = read_rows(given.data)[: given.limit]
    answers = answer(
        given.model, [row[:-1] for row in rows], given.batch_size, given.max_new_tokens
    )
    references = [row[-1]["content"] for row in rows]
    compared = [
        (compared_text(said, given.compare), compared_text(meant, given.compare))
        for said, meant in zip(answers, references, strict=True)
    ]
    equal = sum(said == meant for said, meant in compared)
    result: dict[str, Any] = {
        "model": given.model,
        "compare": given.compare,
        "rows": len(rows),
        "equal": equal,
        "accuracy": equal / len(rows),
        "commonest": Counter(meant for _, meant in compared).most_common(1)[0][1] / len(rows),
        "answers": [
            {"answer": said, "reference": meant}
            for said, meant in zip(answers, references, strict=True)
        ],
    }
    given.output.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    print(f"{equal} of {len(rows)} answers agree ({result['accuracy']:.1%})", flush=True)


def answer(
    model_name: str, prompts: list[list[dict[str, str]]], batch_size: int, max_new_tokens: int
) -> list[str]:
    """Greedy answers, in order. Prompts are padded on the left, so that all answers of a batch begin together."""
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
            found = model.generate(
                **batch,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
        said = found[:, batch["input_ids"].shape[1] :]
        answers += tokenizer.batch_decode(said, skip_special_tokens=True)
    return answers


def compared_text(text: str, compare: str) -> str:
    lines = text.strip().splitlines()
    return (lines[-1].strip() if lines and compare == "final-line" else text.strip()).casefold()


if __name__ == "__main__":
    main()
