"""Access to Azure OpenAI: the app's identity without a key, and answers that aren't the API's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from shared.core.errors import TransientError
from tests.support.azureml import emulator as azureml_emulator
from tests.support.openai_resource import NewResource, new_resource, student

__all__ = ["new_resource"]


def test_without_a_key_the_apps_identity_is_used(
    new_resource: NewResource, environment: Callable[[str], None]
) -> None:
    with azureml_emulator() as identity:
        environment(identity)
        tuning = new_resource().with_settings(AZURE_OPENAI_API_KEY="")
        assert tuning.backend.preflight(student()) == []


def test_an_identity_that_gets_no_token_is_retried(
    new_resource: NewResource, environment: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with azureml_emulator() as identity:
        environment(identity)
        monkeypatch.setenv("IDENTITY_HEADER", "not the identity header")
        tuning = new_resource().with_settings(AZURE_OPENAI_API_KEY="")
        with pytest.raises(TransientError, match="got no token"):
            tuning.backend.preflight(student())


class _Page(BaseHTTPRequestHandler):
    kind, content = "text/html", b"<html>\n<h1>Sign in to the proxy</h1>"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Torn(_Page):
    kind, content = "application/json", b'{"id": "ftjob-1", '


@pytest.fixture(params=[_Page, _Torn])
def elsewhere(request: pytest.FixtureRequest) -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/openai/v1"
        server.shutdown()
        thread.join()


def test_an_answer_that_is_not_the_apis_is_retried(
    new_resource: NewResource, elsewhere: str
) -> None:
    tuning = new_resource().with_settings(AZURE_OPENAI_BASE_URL=elsewhere)
    for call in (
        lambda: tuning.backend.poll("ftjob-1"),
        lambda: tuning.backend.preflight(student()),
    ):
        with pytest.raises(TransientError, match="no usable answer"):
            call()
