"""Users see what the teacher said to each rejected row, and no secret of the app."""

from __future__ import annotations

from local.emulators.teacher import ChatRequest
from shared.generation.record import MAX_REPLY_CHARACTERS
from tests.activities.conftest import Configure, NewRun, Teach
from tests.support.activity_runs import sums

SECRET = "the-key-of-the-other-resource"
LONG = "I am not sure, " * 300


def evasive(request: ChatRequest) -> str:
    text = next(item.text for item in request.messages if "What is" in item.text)
    number = int(text.split()[2])
    return [str(number + 1), f"Hm. The key is {SECRET}, isn't it?", LONG][number]


async def test_rejected_rows_have_the_reply_as_it_came_bounded_and_without_secrets(
    new_run: NewRun, teach: Teach, app: Configure
) -> None:
    run = new_run()
    await run.begin(sums(3) + b"{\n")
    async with teach(evasive):
        app(AZURE_OPENAI_API_KEY=SECRET)
        await run.finish()
    await run.report()
    replies = {row["line"]: row["reply"] for row in await run.rows(run.paths.rejected)}
    assert replies == {
        2: "Hm. The key is ***, isn't it?",
        3: LONG[:MAX_REPLY_CHARACTERS],
        4: None,
    }
    assert all(SECRET not in content for content in (await run.contents()).values())
