"""What a reply shows: no reasoning, no tokens, no dress, and nothing else changed."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.tasks.replies.reply import Reply, split_reply

SHOWN = "The ferry leaves at six."
THOUGHT = "They want the time."

REASONED = [
    "<think>§</think>¤",
    "<think>\n§\n</think>\n\n¤",
    "<THINKING>§</THINKING>\n¤",
    "<thought>§</thought>¤",
    "<reasoning>§</reasoning>¤",
    "<reflection>§</reflection>¤",
    "<scratchpad>§</scratchpad>\n<answer>¤</answer>",
    "[THINK]§[/THINK]¤",
    "[THINKING]§[/THINKING]¤",
    "[Thought]§[/Thought]\n¤",
    "<|thinking|>§<|/thinking|>¤",
    "<antThinking>§</antThinking>¤",
    "<internal_monologue>§</internal_monologue>¤",
    "<cot>§</cot>\n\n¤</answer>",
    "assistantanalysis§assistantfinal¤",
    "<seed:think>§</seed:think>¤<seed:eos>",
    "◁think▷§◁/think▷¤",
    "<|begin_of_thought|>§<|end_of_thought|>\n<|begin_of_solution|>¤<|end_of_solution|>",
    "<|START_THINKING|>§<|END_THINKING|><|START_RESPONSE|>¤<|END_RESPONSE|>",
    "<|channel>thought\n§\n<channel|>¤<turn|>",
    "<|channel|>analysis<|message|>§<|end|><|start|>assistant<|channel|>final<|message|>¤",
    "<|channel|>analysis<|message|>§<|channel|>final<|message|>¤<|return|>",
    "<|start|>assistant<|channel|>analysis<|message|>§<|end|>"
    "<|start|>assistant<|channel|>final<|message|>¤<|end|>",
    "analysis§assistantfinal¤",
    "Here is my thought process: § Here is my response: ¤",
    "§\n</think>\n\n¤",
    "§</think>¤<|im_end|>",
    "§<|end|><|start|>assistant<|channel|>final<|message|>¤",
    "¤\n<think>§",
    "§ final<|message|>¤",
    "¤<think>§</think>",
]
BARE = [
    "§",
    " \n§\r\n\n",
    "\ufeff§\u200b",
    "§<|im_end|>",
    "§<|im_end|>\n<|im_start|>user\nAnd the fare?<|im_end|>\n<|im_start|>assistant\nTen.",
    "<|im_start|>assistant\n§<|im_end|>",
    "§<|eot_id|>",
    "§<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhy?",
    "<|start_header_id|>assistant<|end_header_id|>\n\n§<|eot_id|>",
    "§</s>",
    "§<|some_new_end|>",
    "§\n<|some_new_end|>\n",
    "<|message|>§",
    "<s>§</s>",
    "§<end_of_turn>\n<start_of_turn>user\nWhy?",
    "§<|endoftext|>Write a poem.",
    "§<|return|>",
    "§ [/INST] Tell me more. [INST]",
    "§<｜end▁of▁sentence｜>",
    "§<｜User｜>Why?<｜Assistant｜>So.",
    "<answer>§</answer>",
    "<answer>\n§",
    "§</answer>",
    "<assistant>§</assistant>",
    "assistant\n\n§",
    "Assistant: §",
    "<bos>§<eos>",
    "<|begin_of_text|>§<|eot_id|>",
    "§[EOS]",
    "§<pad><pad>",
    "§ [end of text]",
    "§<|/assistant|>",
    "<response>\n§\n</response>",
    "<answer><|begin_of_box|>§<|end_of_box|></answer>",
    "```\n§\n```",
    "~~~text\n§\n~~~",
    "```markdown\n§\n```<|im_end|>",
    "<answer>\n```\n§\n```\n</answer></s>",
]


@pytest.mark.parametrize("form", REASONED)
def test_reasoning_in_any_dress_is_told_from_what_is_shown(form: str) -> None:
    reply = split_reply(form.replace("§", THOUGHT).replace("¤", SHOWN))
    assert reply == Reply(SHOWN, THOUGHT)


@pytest.mark.parametrize("form", BARE)
def test_tokens_and_dress_are_no_part_of_what_is_shown(form: str) -> None:
    assert split_reply(form.replace("§", SHOWN)) == Reply(SHOWN)


@pytest.mark.parametrize(
    "text",
    [
        "<think>§",
        "<think>§ <think>more</think",
        "[THINK]§",
        "<rationale>§",
        "<|channel|>analysis<|message|>§<|end|>",
        "<|channel|>analysis<|message|>§",
        "§</think>",
    ],
)
def test_a_reply_that_never_leaves_its_reasoning_shows_nothing(text: str) -> None:
    reply = split_reply(text.replace("§", THOUGHT))
    assert reply.text == ""
    assert reply.reasoning is not None
    assert reply.reasoning.startswith(THOUGHT)


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "<|im_end|>", "<answer></answer>"])
def test_a_reply_without_anything_visible_shows_nothing(text: str) -> None:
    assert split_reply(text) == Reply("")


@pytest.mark.parametrize(
    "text",
    [
        "Put it between `<think>` and `</think>`.",
        "The <think> tag opens the reasoning, and the </think> tag closes it.",
        "It writes <think>...</think> first.",
        "It writes <think>like this</think> before the answer.",
        "An element such as <analysis>data</analysis> is fine.",
        "- <think>: opens\n- </think>: closes",
        "Assistant: Ten.\nUser: Thanks.",
        "<answer>1</answer> and then </answer>",
        "The file ends with </response>",
        'Qwen opens with "<think>" and stops at "<|im_end|>".',
        "Models of the time ended a turn with <|im_end|>, as ChatML asks.",
        "```xml\n<think>\nHm.\n</think>\nYes.\n```\nSo it looks.",
        'Use this:\n```python\nstop = ["<|eot_id|>", "</s>"]\n```\nand try again.',
        "`</s>` ends it.",
        "It costs <s>ten</s> nine euros.",
        "```python\nprint(1)\n```",
        "```a``` and ```b```",
        "I am thinking. Analysis follows; assistants know best.",
        "analysis of the assistant's final report",
        "Their turns end with <|some_end|>",
        "`<|some_end|>`",
        "a < b > c, [THINKING] of it",
        "<answer>1</answer> or <answer>2</answer>",
        "1. <b>bold</b>\n2. x</y>",
    ],
)
def test_a_text_that_only_talks_of_tags_stays_whole(text: str) -> None:
    assert split_reply(text) == Reply(text)


def test_a_closing_tag_that_the_reasoning_quotes_does_not_end_it() -> None:
    reply = split_reply("<think>I must not write `</think>` yet.</think>\nDone.")
    assert reply == Reply("Done.", "I must not write `</think>` yet.")


def test_reasoning_around_an_answer_is_kept_in_order_and_once() -> None:
    reply = split_reply("<think>b</think>\nSix.<think>c</think>", "a\n")
    assert reply == Reply("Six.", "a\n\nb\n\nc")
    assert split_reply("<think>a</think>Six.", "a") == Reply("Six.", "a")


def test_halves_of_surrogate_pairs_are_replaced_and_whole_pairs_joined() -> None:
    reply = split_reply("<think>\ud83d\ude00</think>x\ud800y", "\udc00")
    assert reply == Reply("x\ufffdy", "\ufffd\n\n😀")


WORDS = st.text(st.characters(exclude_characters="`~<>[◁\ufeff\u200b\u2060", categories=["L", "P"]))
TEXTS = st.lists(WORDS.filter(bool), min_size=1, max_size=6).map(" ".join)
TAGGED = [form.replace("§", THOUGHT) for form in REASONED if form.startswith(("<", "["))]
FORMS = [form.replace("§", "¤") for form in BARE] + TAGGED


@given(text=TEXTS, form=st.sampled_from(FORMS))
@example(text="a", form=FORMS[-1])
def test_no_dress_changes_a_text(text: str, form: str) -> None:
    assert split_reply(form.replace("¤", text)).text == split_reply(text).text


@given(text=st.text(st.characters(exclude_characters="`~<[◁", exclude_categories=["C"])))
def test_a_text_without_dress_comes_back_verbatim(text: str) -> None:
    assert split_reply(f" {text}\n").text == text.strip()


@given(text=st.text(max_size=30) | st.lists(st.sampled_from(REASONED + BARE)).map("".join))
def test_what_is_shown_shows_itself(text: str) -> None:
    reply = split_reply(text)
    assert reply.text == reply.text.strip()
    (reply.text + (reply.reasoning or "")).encode()


FLOODS = [
    "<", "<think>", "</think>", "`", "`a", "```a\n", "````a\n```\n", "~~~\n", "</s>", "<s></s>",
    "<|end|>", "a <think> b ", "\ufeff ", "<answer>", "</answer>", "<|", "Use `</think>` ",
    "<|im_start|>assistant", "<think>`", "analysis",
    "".join("`" * length + " " for length in range(400)),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("before", ["", "<think>"])
def test_a_flood_of_marks_is_split_in_linear_time(before: str, flood: str) -> None:
    """A quadratic search would take minutes."""
    split_reply(before + flood * (100_000 // len(flood)))
