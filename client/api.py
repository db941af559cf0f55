"""The app's HTTP API: requests with the key in a header, answers as JSON, errors for people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Self, cast
from urllib.parse import quote
from urllib.request import getproxies

import httpx2

from .connection import KEY_VARIABLE, Connection, is_loopback
from .errors import AccessDenied, AppError, NotThisApp, Unreachable
from .json_data import JsonObject, entries, section

KEY_HEADER = "x-functions-key"
TIMEOUT = httpx2.Timeout(60.0, connect=15.0)
SLOW_TIMEOUT = httpx2.Timeout(240.0, connect=15.0)  # Azure ends requests after 230 s
RETRIES = 2  # of requests that change nothing
RETRY_SECONDS = 2.0
MAX_RETRY_AFTER = 120.0
TEMPORARY = (408, 429, 500, 502, 503, 504)
SHOWN_CHARACTERS = 200


class Api:
    """One deployment. Use it as a context manager."""

    def __init__(
        self,
        connection: Connection,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.connection = connection
        self._sleep = sleep
        headers = {"Accept": "application/json", "User-Agent": "distil"}
        if connection.key:
            headers[KEY_HEADER] = connection.key
        self._http = http_client(connection.url, transport, headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, *segments: str, **query: str | None) -> JsonObject:
        """Return what a path holds; temporary errors are tried again. Raises ClientError."""
        for attempt in range(RETRIES):
            try:
                return self.get_once(*segments, **query)
            except Unreachable as error:
                self._sleep(error.retry_after or RETRY_SECONDS * (attempt + 1))
        return self.get_once(*segments, **query)

    def get_once(self, *segments: str, **query: str | None) -> JsonObject:
        """Return what a path holds. Raises ClientError."""
        parameters = {name: value for name, value in query.items() if value is not None}
        return self._send("GET", segments, parameters)

    def post(
        self, *segments: str, body: object = None, slow: bool = False, **query: str | None
    ) -> JsonObject:
        """Send a request that changes something, once. Raises ClientError."""
        parameters = {name: value for name, value in query.items() if value is not None}
        return self._send("POST", segments, parameters, body, SLOW_TIMEOUT if slow else TIMEOUT)

    def delete(self, *segments: str, **query: str | None) -> JsonObject:
        """Delete what a path holds. Raises ClientError."""
        parameters = {name: value for name, value in query.items() if value is not None}
        return self._send("DELETE", segments, parameters)

    def pages(self, name: str, *segments: str, **query: str | None) -> Iterator[JsonObject]:
        """Yield the entries called `name` of a listing, page by page. Raises ClientError."""
        after: str | None = None
        while True:
            page = self.get(*segments, **{**query, "after": after})
            if name not in page:
                raise NotThisApp(self._not_this_app(f"/api/{'/'.join(segments)} has no {name}"))
            yield from entries(page, name)
            following = page.get("next")
            if not following or following == after:
                return
            after = str(following)

    def _send(
        self,
        method: str,
        segments: tuple[str, ...],
        query: Mapping[str, str],
        body: object = None,
        timeout: httpx2.Timeout = TIMEOUT,
    ) -> JsonObject:
        path = "/api/" + "/".join(quote(segment, safe="") for segment in segments)
        content: dict[str, Any] = {} if body is None else {"json": body}
        try:
            answer = self._http.request(method, path, params=query, timeout=timeout, **content)
        except httpx2.TransportError as error:
            raise unreachable(error, self.connection.url) from None
        return self._read(answer, path)

    def _read(self, answer: httpx2.Response, path: str) -> JsonObject:
        """Return the JSON object of an answer. Raises the ClientError that fits another one."""
        data = _json(answer)
        if answer.is_success:
            if data is None:
                raise NotThisApp(self._not_this_app(f"{path} answers something else than JSON"))
            return data
        error = section(data or {}, "error")
        if "code" in error:
            raise _app_error(answer, error)
        if answer.status_code in (401, 403):
            raise AccessDenied(self._access_denied(answer.status_code))
        if answer.status_code in TEMPORARY:
            message = f"{self.connection.url} answers HTTP {answer.status_code}: try again later"
            raise Unreachable(message, retry_after(answer))
        if answer.is_redirect:
            problem = f"{path} redirects, perhaps to a page to sign in"
        else:
            problem = f"{path} answers HTTP {answer.status_code}"
        raise NotThisApp(self._not_this_app(problem))

    def _access_denied(self, status: int) -> str:
        connection = self.connection
        get_key = (
            f"az functionapp keys list -g <group> -n {connection.app_name} "
            "--query functionKeys.default -o tsv"
        )
        if status == 403:
            return (
                f"{connection.url} refuses access (HTTP 403): your network may not be allowed, the "
                "app may be stopped, or the key may lack permission. A function key is shown by\n"
                f"  {get_key}"
            )
        if connection.key is None:
            problem = f"{connection.url} needs a function key, and none was given"
        else:
            problem = f"{connection.url} rejects the function key from {connection.key_source}"
        return (
            f"{problem} (HTTP 401). Show the key with\n  {get_key}\n"
            f"and give it as {KEY_VARIABLE} or --key. On one machine, `python3 -m local up` "
            "writes it into .local/endpoints.json."
        )

    def _not_this_app(self, problem: str) -> str:
        return (
            f"{self.connection.url} isn't this app, or an older version of it: {problem}. "
            "Check the URL, and that the app is deployed and running."
        )


def http_client(
    url: str, transport: httpx2.BaseTransport | None, headers: Mapping[str, str]
) -> httpx2.Client:
    """Return a client of a server: the user's proxy and certificates count, not on loopback."""
    return httpx2.Client(
        base_url=url,
        headers=dict(headers),
        timeout=TIMEOUT,
        transport=transport,
        trust_env=not is_loopback(url),
    )


def unreachable(error: httpx2.TransportError, url: str) -> Unreachable:
    """Return why a server doesn't answer, and what to do."""
    reason = str(error) or type(error).__name__
    message = f"{url} doesn't answer ({reason})"
    if "CERTIFICATE" in reason.upper():
        return Unreachable(f"{message}: set SSL_CERT_FILE to your network's certificates")
    if isinstance(error, httpx2.ProxyError) or (getproxies() and not is_loopback(url)):
        return Unreachable(f"{message}: check the URL, HTTPS_PROXY and NO_PROXY")
    return Unreachable(f"{message}: check the URL and your network")


def retry_after(answer: httpx2.Response) -> float | None:
    """Return the seconds in `Retry-After`, at most MAX_RETRY_AFTER, None without any."""
    text = answer.headers.get("Retry-After", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return None
    if not seconds > 0:  # NaN too
        return None
    return min(seconds, MAX_RETRY_AFTER)


def _json(answer: httpx2.Response) -> JsonObject | None:
    try:
        data: object = answer.json()
    except (ValueError, RecursionError):
        return None
    return cast(JsonObject, data) if isinstance(data, dict) else None


def _app_error(answer: httpx2.Response, error: JsonObject) -> AppError | Unreachable:
    code = str(error["code"])
    message = str(error.get("message", ""))
    if code == "unavailable":
        return Unreachable(f"{message} ({code}, HTTP {answer.status_code})", retry_after(answer))
    return AppError(answer.status_code, code, message, entries(error, "details"))
