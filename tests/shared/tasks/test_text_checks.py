"""Each check of a text finds what is no answer, and leaves right answers alone."""

from __future__ import annotations

import pytest

from shared.dataset.rows import Message, Row
from shared.tasks import TASKS, Answer, CheckName, Unreadable, split_reply
from shared.tasks.prompt_spec import PromptSpec
from shared.tasks.texts.text_checks import CHECK_NAMES, Exchange, first_problem

ARTICLE = (
    "Summarize this:\nThe mill closed in May, and forty people lost their jobs. Its owner says that"
    " the debt was too high. The town had lent money to the mill three years ago, and the council"
    " now wants it back. A union asks for talks."
)


def reason(
    text: str,
    question: str = "When does the pool open?",
    *systems: str,
    is_summary: bool = False,
    names: tuple[CheckName, ...] = CHECK_NAMES,
) -> str | None:
    """The reason of the first problem found."""
    exchange = Exchange(text, question, (*systems, question), is_summary=is_summary)
    problem = first_problem(exchange, names)
    return problem.reason if problem else None


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I cannot assist with that request.",
        "Sorry, I can't provide that information.",
        "I cannot fulfill this request. It would be wrong.",
        "I apologize, but I am unable to answer this question.",
        "Unfortunately, I'm not able to discuss this topic.",
        "As an AI language model, I cannot provide medical advice.",
        "I understand that you are upset, but I can't help you with this.",
        "My apologies, but I am unable to solve this.",
        "I won't write that content.",
        "I can't do that.",
        "I'm sorry, but I can't.",
        "Sorry, I won't.",
        "Es tut mir leid, aber dabei kann ich Ihnen nicht helfen.",
        "Es tut mir leid, aber ich kann Ihnen bei dieser Anfrage nicht helfen.",
        "Je suis désolé, mais je ne peux pas vous aider.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Mi dispiace, ma non posso aiutarti con questo.",
        "I cannot open URLs or access external websites.",
        "Ich kann diesen Text nicht zusammenfassen.",
        "Het spijt me, maar daar kan ik niet mee helpen.",
        "Jag kan tyvärr inte hjälpa till med det.",
        "Desculpe, mas não posso ajudar com isso.",
        "Извините, но я не могу помочь с этим.",
        "抱歉，我无法提供这方面的帮助。",
        "申し訳ありませんが、その件についてはお手伝いできません。",
        "죄송하지만 그 요청은 도와드릴 수 없습니다.",
        "عذراً، لا أستطيع مساعدتك في ذلك.",
    ],
)
def test_a_refusal_is_found(text: str) -> None:
    assert reason(text, names=("refusal",)) == "refused"
    assert reason(text, "How?", "Decline unethical questions.", names=("refusal",)) is None


@pytest.mark.parametrize(
    "text",
    [
        "I can't wait for the holidays, writes Eve; she flies on Friday.",
        "Sorry, I can't make it on Sunday, Tom writes; they will meet later.",
        "I cannot recommend this film, says the critic.",
        "I can't answer that question, the minister said.",
        "I cannot provide details, said the officer, while the case is open.",
        "I can't help but smile.",
        "I can't help you with that until I have your order number.",
        "I can't help loving it.",
        "I can't.",
        "Sorry, but I can't wait.",
        "Unfortunately, I am unable to come, as my car broke down.",
        "I won't be there, Eve tells Tom.",
        "I'm sorry for your loss. You could talk to a friend about it.",
        "I'm sorry to hear that! Try to restart the router.",
        "I cannot infer it from the premise, so the label is neutral.",
        "Sorry about that! The answer is 7.",
        "I apologize for the confusion. The pool opens at ten.",
        "Es tut mir leid, aber ich kann morgen nicht kommen, schreibt Ben.",
        "Je ne peux pas venir, écrit Anne.",
        "No puedo esperar, dice Ana.",
        "抱歉，我明天不能来，小王说。",
        "Ten people were refused entry.",
    ],
)
def test_a_text_in_the_first_person_is_no_refusal(text: str) -> None:
    assert reason(text) is None
    assert reason(text, ARTICLE, is_summary=True) is None


@pytest.mark.parametrize(
    "text",
    ["N/A", "n/a.", "None", "[Insert summary here]", "[Your answer here]", "<summary>", "无"],
)
def test_a_placeholder_is_found(text: str) -> None:
    assert reason(text) == "placeholder"


@pytest.mark.parametrize(
    "text",
    [
        "The text you provided is empty. Please paste the article.",
        "Please provide the article you would like me to summarize.",
        "I'm sorry, but there is no article in your message. Could you please share the text?",
        "It looks like you didn't include the article.",
        "No text was provided.",
        "Your article appears to be missing.",
        "I don't see any article here.",
        "There is nothing to summarize.",
        "There is not enough information to summarize.",
        "The conversation appears to be empty.",
        "I need the full text of the article to summarize it.",
        "Bitte senden Sie mir den Artikel.",
        "Veuillez fournir le texte à résumer.",
        "Por favor, proporcione el texto que desea resumir.",
        "请提供需要总结的文章。",
        "要約する記事を提供してください。",
        "Your message doesn't contain any article.",
        "To summarize the article, I need its text.",
        "Unfortunately, the article was not included.",
        "Once you provide the article, I will summarize it.",
        "What would you like me to summarize?",
        "As there is no article here, I cannot help.",
        "Es wurde kein Text angegeben.",
        "Aucun texte n'a été fourni.",
        "No se proporcionó ningún texto.",
        "您没有提供任何文本。",
        "テキストがありません。",
        "कृपया पाठ प्रदान करें।",
        "Geef de tekst die ik moet samenvatten.",
        "Proszę podać tekst.",
    ],
)
def test_a_request_for_the_article_is_no_summary(text: str) -> None:
    assert reason(text, ARTICLE, is_summary=True) == "placeholder"
    if text.isascii() and "I cannot" not in text:
        assert reason(text, "Can you summarize something for me?") is None


@pytest.mark.parametrize(
    "text",
    [
        "Nobody was hurt.",
        "The text was not included in the treaty, which angered Paris.",
        "The article was not attached to the motion, so the vote failed.",
        "Once you provide a deposit, I will hold the boat, Ann writes.",
        "If you send the boat, I will pay, Ben told Ann.",
        "Since the chat was deleted, nobody knows what Ben wrote.",
        "Der Text ist leer, klagt Anna.",
        "Kein Text war je so lang wie dieser Roman.",
        "Aucun texte de loi n'interdit la pêche, dit le maire.",
        "None of the forty workers was paid.",
        "The file was missing for weeks.",
        "Please send the money today, the fraudster wrote.",
        "Please share the text with your class, the teacher asks, Ann writes.",
        "It seems you cannot win, writes the critic.",
        "The document was incomplete, the auditors found.",
        "No document was found in the house.",
        "[Ann] will come; [Ben] won't.",
        "You can null the contract.",
        "Not enough information was given to voters.",
        "Ann said that there was no content to summarize.",
        "The chat is empty of ideas, Ben says.",
    ],
)
def test_a_text_about_missing_things_is_no_placeholder(text: str) -> None:
    assert reason(text, ARTICLE, is_summary=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "It opens at ten.\n\nUser: And on Sundays?\nAssistant: At eleven.",
        "It opens at ten.\nUser: thanks\nAssistant: You are welcome!",
        "It opens at ten.\nHuman: Is there a sauna in the building?",
        "It opens at ten.\n\n**User:** And on Sundays?",
        "It opens at ten.\n\n### Instruction:\nWrite a poem.",
        "It opens at ten.\n\n### User\nWrite a poem.",
        "It opens at ten. User: And on Sundays? Assistant: At eleven.",
        "Um zehn.\n\nBenutzer: Und am Sonntag?\nAssistent: Um elf.",
        "十点开门。\n\n用户：星期天呢？\n助手：十一点。",
    ],
)
def test_an_invented_turn_is_found(text: str) -> None:
    assert reason(text) == "invented_turn"


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("User: Hi!\nAssistant: Hello!", "How do they greet?"),
        ("Here you are:\nUser: Hi!\nAssistant: Hello!", "Write a dialogue with a bot."),
        ("Roles:\nAdmin: may do everything\nUser: may only read things", "Which roles are there?"),
        ("Log in with this:\n\nUser: eve\nPassword: mill", "How do I log in?"),
        ("- User: may only read things\n- Admin: all", "Which roles are there?"),
        ("Like so:\n```\nHello\nUser: who is it?\n```", "How does it look?"),
        ("The user: a person who uses it.", "Who is the user?"),
        ("It asks for three things.\nQuestion: what is it?\nAnswer: a mill.", "What does it ask?"),
        ("### Steps\n1. Stop.\n### Input data\nNone.", "How?"),
        ("From: Ann\nTo: Ben\nUser: eve at the mill office", "Show me the mail."),
    ],
)
def test_lines_that_name_a_user_are_no_invented_turn(text: str, question: str) -> None:
    assert reason(text, question) is None


def test_a_summary_without_a_word_is_a_placeholder() -> None:
    assert reason("...", ARTICLE, is_summary=True) == "placeholder"
    assert reason("👍") is None


def test_the_next_example_behind_a_summary_is_an_invented_turn() -> None:
    text = "The mill closed.\n\nArticle: The pool will open in June."
    assert reason(text, ARTICLE, is_summary=True) == "invented_turn"
    assert reason("The mill closed.\n\nText: short.", ARTICLE, is_summary=True) is None


def test_an_echo_is_found_and_a_short_or_partial_one_is_none() -> None:
    assert reason(ARTICLE, ARTICLE, is_summary=True) == "echo"
    assert reason(ARTICLE.partition("\n")[2], ARTICLE, is_summary=True) == "echo"
    question = "When does the pool in the park open?"
    assert reason(question.lower(), question) == "echo"
    assert reason("Good evening!", "Good evening!") is None
    first_sentence = "The mill closed in May, and forty people lost their jobs."
    assert reason(first_sentence, ARTICLE, is_summary=True) is None
    assert reason(first_sentence, first_sentence[:-10]) is None


LOOPS = [
    "The mill closed in May. " * 5,
    "So it goes. The mill closed, " + "and then it closed, " * 8,
    "He said no no no " + "no " * 30,
    "开门，" * 12 + "关门。",
    "Well. " + "One, two, three, four, five, six, seven. " * 4,
]


@pytest.mark.parametrize("text", LOOPS)
def test_a_loop_is_found_unless_it_is_asked_for(text: str) -> None:
    assert reason(text, names=("loop",)) == "loop"
    assert reason(text, "Write a song about it.", names=("loop",)) is None


@pytest.mark.parametrize(
    "text",
    [
        "Ha ha ha ha ha ha! Very, very, very good.",
        "Step 1: press the key. Step 2: press the key. Step 3: press the key. Step 4: rest.",
        "| a | yes | no |\n| b | yes | no |\n| c | yes | no |\n| d | yes | no |\n| e | yes | no |",
        "```\n" + "print(1)\n" * 30 + "```",
        "The mill closed. The mill closed for good. It was the last mill of the town.",
        "1 0 0 0 0 0 0 0 0 0 0",
    ],
)
def test_repeated_forms_are_no_loop(text: str) -> None:
    assert reason(text) is None


ENGLISH = "The mill was closed in May, and the people who had worked for it are now out of work."
GERMAN = (
    "Die Mühle wurde im Mai geschlossen, und die Leute, die für sie tätig waren, sind arbeitslos."
)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("工厂在五月关闭，四十人失业。", "When did the mill close?"),
        ("Мельница закрылась в мае.", "When did the mill close?"),
        ("The mill was closed in May.", "工厂什么时候关闭？有多少人失业？"),
        (GERMAN, f"What does it say?\n{ENGLISH}"),
        (ENGLISH, f"Worum geht es in dem Text?\n{GERMAN}"),
    ],
)
def test_another_language_is_found_unless_a_prompt_speaks_of_languages(
    text: str, question: str
) -> None:
    assert reason(text, question, names=("language",)) == "wrong_language"
    assert reason(text, question, "Translate it.", names=("language",)) is None


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("工厂在五月关闭。", "工場はいつ閉鎖されましたか？"),
        ("Use `print` in Python 3.", "Python怎么打印？"),
        ("```python\nprint('hello, dear world')\n```", "怎么打印？"),
        ("π ≈ 3.14159", "What is pi?"),
        ("Fyodor Dostoevsky (Фёдор Достоевский) wrote it.", "Who wrote it?"),
        (ENGLISH, f"Summarize this text for me please:\n{GERMAN}"),
        ("12 + 30 = 42", "٤٢ = ?"),
        ("Bonjour!", "What do they say?"),
        ("OK", "好吗？"),
    ],
)
def test_the_language_of_the_row_and_foreign_words_are_right(text: str, question: str) -> None:
    assert reason(text, question) is None


SHORT = "Use at least 10 words and at most 20 words."


def summary(text: str, system: str | None = None, limit: int | None = 80, *skip: str) -> str:
    """The summary as it is accepted, or the reason why not."""
    messages: list[Message] = [{"role": "user", "content": ARTICLE}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    row = Row(tuple(messages))
    prompt = PromptSpec(max_summary_words=limit)
    task = TASKS["summarization"]
    answer = task.read(row, prompt, split_reply(text))
    if isinstance(answer, Answer):
        answer = task.checked(row, prompt, [], answer, skip)
    return answer.reason if isinstance(answer, Unreadable) else answer.text


def test_a_summary_has_the_length_that_its_row_asks_for_or_else_the_run() -> None:
    words = [f"w{number}" for number in range(200)]
    assert summary(" ".join(words[:80])) == " ".join(words[:80])
    assert summary(" ".join(words[:81])) == "too_many_words"
    assert summary(" ".join(words[:21]), SHORT) == "too_many_words"
    assert summary(" ".join(words[:9]), SHORT) == "too_few_words"
    assert summary(" ".join(words[:15]), SHORT) == " ".join(words[:15])
    assert summary(" ".join(words[:100]), "At most 120 words.") == " ".join(words[:100])
    assert summary(" ".join(words[:50]), "At most 120 words.", 40) == " ".join(words[:50])
    assert summary(" ".join(words[:50]), "At least 10 words.", 40) == "too_many_words"
    assert summary(" ".join(words), None, None) == " ".join(words)
    assert summary(" ".join(words[:90]), "At least 100 words.") == "too_few_words"


def test_a_check_that_is_skipped_finds_nothing() -> None:
    text = " ".join(f"w{number}" for number in range(81))
    assert summary(text, None, 80, "length") == text
    assert summary("N/A") == "placeholder"
    assert summary("N/A", None, 80, "placeholder") == "N/A"


def test_a_conversation_is_checked_against_its_latest_question() -> None:
    row = Row(
        (
            {"role": "user", "content": "Please tell me about the old mill."},
            {"role": "assistant", "content": "x"},
            {"role": "user", "content": "And when does the new pool open?"},
        )
    )
    task = TASKS["conversation"]
    first = Answer("Please tell me about the old mill.")
    second = Answer("And when does the new pool open?")
    for answers, echo, fine in (([], first, second), ([first], second, first)):
        problem = task.checked(row, PromptSpec(), answers, echo, [])
        assert isinstance(problem, Unreadable)
        assert problem.reason == "echo"
        assert task.checked(row, PromptSpec(), answers, fine, []) == fine


FLOODS = [
    "I'm sorry ", "I'm sorry, but I can't ", "please ", "[insert ", "User: ", "User: a\n", "a ",
    "a b ", "```\n", "The mill closed. ", "开", "\n", ". ", "### Instruction ", "x\nUser: b c d\n",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_text_is_checked_in_linear_time(flood: str) -> None:
    """A quadratic search would take minutes."""
    text = flood * (100_000 // len(flood))
    for is_summary in (False, True):
        for name in CHECK_NAMES:
            reason(text, text, is_summary=is_summary, names=(name,))
