"""Makes a student from nothing: a Llama of one to two million random weights, and its tokenizer.

It shows a student's whole way in minutes, on a CPU and offline. Expect no accuracy from it. The
same texts and seed make the same files.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END = "<|end|>"
PAD = "<|pad|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
# `generation` marks what is learned: the assistant's words and the end of its turn
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|end|>' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def parse_arguments() -> argparse.Namespace:
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument(
        "--texts", type=Path, nargs="+", required=True, help="JSON lines with `messages`"
    )
    flags.add_argument("--output", type=Path, required=True, help="folder")
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--vocabulary", type=int, default=2048, help="tokens")
    flags.add_argument("--width", type=int, default=128)
    flags.add_argument("--layers", type=int, default=4)
    flags.add_argument("--context", type=int, default=2048, help="tokens")
    return flags.parse_args()


def main() -> None:
    arguments = parse_arguments()
    texts = contents(arguments.texts)
    tokenizer = make_tokenizer(texts, arguments.vocabulary, arguments.context)
    torch.manual_seed(arguments.seed)
    model = LlamaForCausalLM(configuration(tokenizer, arguments))
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    arguments.output.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(arguments.output)
    tokenizer.save_pretrained(arguments.output)
    print(f"{model.num_parameters():,} parameters, {len(tokenizer)} tokens", flush=True)


def contents(files: list[Path]) -> Iterator[str]:
    """Yield the content of every message. Rows may lack an answer."""
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            if not line.strip():
                continue
            for message in json.loads(line)["messages"]:
                yield message["content"]


def make_tokenizer(texts: Iterator[str], vocabulary: int, context: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer of byte-level BPE, which can encode any text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, END, *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def configuration(tokenizer: PreTrainedTokenizerFast, arguments: argparse.Namespace) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=arguments.width,
        intermediate_size=3 * arguments.width,
        num_hidden_layers=arguments.layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=arguments.context,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


if __name__ == "__main__":
    main()
