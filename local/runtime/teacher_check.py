"""Whether `--teacher-url` leads to a chat-completions API, found out before anything is set up.

Standard library alone. The request is empty and carries no key, so it costs nothing: an API
refuses it with 400, 401, 403 or 422, and a wrong address has no such route.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from local.runtime.failures import UsageError

ROUTE = "/chat/completions"
SECONDS = 10.0
MAX_BYTES = 10_000  # of an error's body
NO_SUCH_ROUTE = (404, 405, 410, 501)
ADVICE = "The base URL of an OpenAI-compatible API usually ends in /v1."


def check_teacher(url: str) -> None:
    """Raises UsageError if nothing answers at the URL, or something else than the API does."""
    address = url.removesuffix(ROUTE) + ROUTE
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, data=b"{}", headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:
            kind = response.headers.get_content_type()
    except urllib.error.HTTPError as error:
        with error:
            if error.code in NO_SUCH_ROUTE and not _misses_a_model(error):
                raise UsageError(
                    f"--teacher-url {url} is not a chat-completions API: "
                    f"POST {address} answered {error.code}. {ADVICE}"
                ) from error
        return
    except (http.client.RemoteDisconnected, ConnectionResetError):
        # a server is there and dislikes an empty request: preflight makes a real one
        return
    except (OSError, http.client.HTTPException) as error:
        cause = getattr(error, "reason", error)
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        raise UsageError(
            f"--teacher-url {url} can't be reached: {reason}. Check the address and that the "
            "teacher is running."
        ) from error
    if kind == "text/html":
        raise UsageError(
            f"--teacher-url {url} is not a chat-completions API: POST {address} answered with a "
            f"web page. {ADVICE}"
        )


def _misses_a_model(error: urllib.error.HTTPError) -> bool:
    """Whether it is the API that answers 404, because the empty request names no model."""
    is_json = error.headers.get_content_type() == "application/json"
    return is_json and b"model" in error.read(MAX_BYTES).lower()
