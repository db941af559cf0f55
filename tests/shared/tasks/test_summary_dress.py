"""Around a summary only known dress goes; its own beginning and end always stay."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tasks import Unreadable
from shared.tasks.texts.summary_dress import bare_summary

SUMMARY = "The mill closed in May. Forty people lost their jobs."

DRESS = [
    "§",
    "\n§\n\n",
    "**Summary**\n\n§",
    "Summary: §",
    "**Summary:** §",
    "**Summary**: §",
    "# Summary\n§",
    "### TL;DR\n\n§",
    "TL;DR: §",
    "tl;dr §",
    "Article Summary:\n§",
    "Zusammenfassung: §",
    "**Zusammenfassung des Gesprächs**\n\n§",
    "Résumé de la conversation : §",
    "Resumen de la conversación: §",
    "会話の要約：§",
    "聊天摘要：§",
    "대화 요약: §",
    "ملخص المحادثة: §",
    "One-sentence summary: §",
    "Summary (in 20 words): §",
    "**Brief Summary of the Conversation**\n§",
    "📝 **Summary:** §",
    "[SUMMARY]§[/SUMMARY]",
    '<summary lang="en">§</summary>',
    "<summary>§",
    "§</summary>",
    "‘§’",
    "'§'",
    "Got it! Here's a summary:\n\n§",
    "Here's the chat summarized:\n§",
    "Bien sûr ! Voici un résumé concis :\n\n§",
    "¡Claro! Aquí tienes un resumen:\n\n§",
    "好的，以下是摘要：\n§",
    "Oto podsumowanie:\n\n§",
    "Här är en sammanfattning:\n\n§",
    "§\n\n**Word count:** 9",
    "§\n\n字数：9",
    "§\n\nWant me to shorten it?",
    "§\n\n---\nLet me know if you'd like changes!",
    "§\n\n--- End of Summary ---",
    "Di seguito il riassunto:\n\n§",
    "会話を要約すると以下の通りです：\n§",
    "§\n\nHappy to adjust the length!",
    "Résumé : §",
    "Resumen:\n\n§",
    "Riassunto: §",
    "Краткое содержание: §",
    "摘要：§",
    "要約：§",
    "요약: §",
    "<summary>§</summary>",
    "<summary>\n§\n</summary>",
    "Here is a summary of the article:\n\n§",
    "Here's the summary:\n§",
    "Sure! Here is a concise, entity-dense summary of the given article in 80 words or less:\n\n§",
    "Certainly! Below is a short summary of the text you provided:\n\n§",
    "Sure, here is your summary:\n\n§\n\nLet me know if you would like it shorter!",
    "Hier ist eine kurze Zusammenfassung des Artikels:\n\n§",
    "Voici un résumé de l'article :\n\n§\n\nN'hésitez pas à me demander plus de détails.",
    "Aquí tienes un resumen del artículo:\n\n§",
    "以下是文章的摘要：\n\n§",
    "Sure!\n\n§",
    "Of course. Here is the summary.\n\n§",
    "Summary - §",
    "§\n\nWould you like a longer version?",
    '"§"',
    "“§”",
    "«§»",
    "**§**",
    "> §",
    "---\n§\n---",
    "§ (9 words)",
    "§\n\n(Word count: 9)",
    "§\n\nWord count: 9",
    "§\n\n*9 words*",
    "§\n\nI hope this helps!",
    "§\n\nIf you need more details, feel free to ask.",
    "§\n\nNote: This summary has 9 words.",
    "§\n\nIch hoffe, das hilft.",
    "§\n\n如果您需要更多信息，请告诉我。",
    'Here it is: {"summary": "§"}',
    '```json\n{"summary": "§"}\n```',
    "Here is the summary:\n\n**Summary:**\n\n“§”\n\nHope this helps!",
]


@pytest.mark.parametrize("form", DRESS)
def test_known_dress_is_removed(form: str) -> None:
    assert bare_summary(form.replace("§", SUMMARY)) == SUMMARY


@pytest.mark.parametrize(
    "text",
    [
        "Here the council split: some wanted a pool, others a park.",
        "Here is what the mayor wants: a pool.",
        "In 1969 words failed him: he wept.",
        "Great: Ann has a boat again.",
        "My summary of it all is short: I lost, Ben writes.",
        "Text Ann before you go, Ben says.",
        "Result: Ann wins the boat race.",
        "'I quit', says Ann; Ben says 'fine'.",
        "The mill closed.\n\nNote: this was the limit of what Eve could pay.",
        "The mill closed.\n\nNote: the summary judgment will be appealed.",
        "The mill closed.\n\nIf you provide a boat, I will row, Ben replied.",
        "The mill closed.\n\nI can also make soup, Ben adds.",
        "The mill closed.\n\nIs there anything else? Ann asked.",
        "Here are the three demands:\n- pay\n- rest\n- food",
        "Below the bridge, divers found a car: it was empty.",
        "Sure enough, the roof fell in: nobody was hurt.",
        "Okay Computer was released in 1997: critics loved it.",
        "Summary judgment was refused.",
        "The plan has two parts:\n\nA pool.\n\nA park.",
        "Answering critics: the minister said that taxes will fall.",
        "The mill closed.\n\nWhy it closed is a secret.",
        "The mill closed.\n\nHope Mills, its owner, moved away.",
        "The mill closed.\n\nBecause of the debt, it will not open again.",
        "The mill closed.\n\nIf you work there, call the union.",
        "The mill closed.\n\nNote that others stay open.",
        "The mill closed.\n\nPlease recycle, its owner asks.",
        "The mill closed.\n\nThis version of events is disputed.",
        "The mill closed.\n\nI hope it helps, says Ben.",
        "He was furious.\n\nWould you like to apologise?",
        "The letter was short (42 words)",
        '"We had to," she said, "or we would be poor."',
        '"Never," said Ann. Ben said "always".',
        "**Pool**: closed. **Park**: open.",
        "> We had to.\nSo says the owner.",
        "Let me know if you can come, Ann writes to Ben.",
        "Certainly the best film of the year, the critic writes.",
        "* A pool\n* A park",
        "Zusammenfassungen sind Pflicht, sagt das Amt.",
    ],
)
def test_a_beginning_or_an_end_of_the_summary_itself_stays(text: str) -> None:
    assert bare_summary(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "Here's what the piece boils down to, summarised:\n\nThe mill closed.",
        "Okay, this is how I would put it:\n\nThe mill closed.",
        "Here are the key points:\n- The mill closed.",
        '{"summary": "The mill closed.", "tldr": "Closed."}',
        '{"title": "Mill", "text": "The mill closed."}',
        "Here is the summary:",
        "**Summary**",
    ],
)
def test_unknown_words_about_a_summary_are_asked_again(text: str) -> None:
    assert isinstance(bare_summary(text), Unreadable)


sentences = (
    st.lists(st.text(st.characters(categories=["L"]), min_size=1, max_size=8), min_size=3)
    .map(" ".join)
    .map("{}.".format)
)


@given(text=sentences, outer=st.sampled_from(DRESS), inner=st.sampled_from(DRESS))
def test_no_dress_in_dress_changes_a_summary(text: str, outer: str, inner: str) -> None:
    assert bare_summary(outer.replace("§", text)) == text
    dressed = inner.replace("§", text)
    if "{" not in outer and inner == "§":
        assert bare_summary(outer.replace("§", dressed)) == text


@given(text=st.lists(st.text(max_size=20) | st.sampled_from(DRESS), max_size=5).map("\n\n".join))
def test_a_summary_is_part_of_the_reply(text: str) -> None:
    summary = bare_summary(text)
    assert isinstance(summary, Unreadable) or summary in text or "\n>" in text or "{" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "flood",
    ["---\n", "> ", "**", "Summary:\n", "(9 words) ", "Sure! ", '"', "Here is a summary ", "a b "],
)
def test_a_flood_of_dress_is_read_in_linear_time(flood: str) -> None:
    """A quadratic search would take minutes."""
    bare_summary("x\n" + flood * (100_000 // len(flood)))
    bare_summary(flood * (100_000 // len(flood)) + "x")


def test_json_of_other_dress_reads_as_json() -> None:
    assert bare_summary(json.dumps({"Summary": SUMMARY}, indent=1)) == SUMMARY
