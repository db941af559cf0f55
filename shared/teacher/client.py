"""The teacher client: each request in its turn, with time-outs and retries."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pydantic_core

from shared.core.errors import teacher_code
from shared.core.process import current
from shared.core.secrets import Redact, redactor, secrets_of
from shared.core.settings import Settings
from shared.core.shared_resources import shared
from shared.core.teacher_endpoints import TeacherEndpoint
from shared.dataset.rejection import RejectionReason
from shared.dataset.rows import Message
from shared.spec.models import TeacherSpec
from shared.teacher.budget import Budget, Tokens
from shared.teacher.budget.reservation import (
    NO_TOKENS,
    OverBudget,
    most_prompt_tokens,
    used_tokens,
)
from shared.teacher.capabilities import Capabilities, Dialect, SentRequest
from shared.teacher.completion import Completion, RowFailure, TeacherDown
from shared.teacher.learned import DeploymentName, LearnedCapabilities
from shared.teacher.minimal_request import IN_JSON, IN_WORDS, SCHEMA
from shared.teacher.outcome import Failed, Outcome, SendAgain, Throttled, read_reply
from shared.teacher.parameters import ParameterRefused, set_parameters
from shared.teacher.rate.gate import REFUSED_SECONDS, UNREACHABLE_SECONDS, Gate
from shared.teacher.rate.scheduler import Lane, RequestScheduler, Turn, process_scheduler
from shared.teacher.retry import backoff, rate_limits
from shared.teacher.stopping import StoppableWaits
from shared.teacher.transport import (
    Connections,
    NoReply,
    NotConnected,
    ProxyRefused,
    Reply,
    header,
)

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

# failures that a deployment is to blame for, not the request
UNHEALTHY = frozenset(
    {
        RejectionReason.CONNECTION,
        RejectionReason.TIMEOUT,
        RejectionReason.TEACHER_ERROR,
        RejectionReason.BAD_RESPONSE,
    }
)


MAX_TOKEN_SECONDS = 60
MAX_TOKEN_ERROR_CHARACTERS = 300  # of the identity's own message


class NoToken(Exception):
    """The app's identity got no access token for the teacher."""


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """The connections and credential that all shards share while they ask the same teacher."""

    connections: Connections
    key_header: Mapping[str, str]
    credential: AsyncTokenCredential | None
    scope: str

    async def authorization(self) -> Mapping[str, str]:
        """Return the header with the credential. Tokens expire, so each request gets one anew.

        Raises NoToken.
        """
        if self.credential is None:
            return self.key_header
        token = await _token(self.credential, self.scope)
        return header("Authorization", f"Bearer {token}")


@dataclass(frozen=True, slots=True)
class _Deployment:
    """One of the places where the teacher is asked, with capabilities and a pace of its own."""

    endpoint: _Endpoint
    settings: TeacherEndpoint
    model: str
    capabilities: Capabilities

    def payload(self, request: _Request, dialect: Dialect, parameters: Mapping[str, Any]) -> bytes:
        body: dict[str, object] = {
            "model": self.model,
            "messages": list(request.messages),
            dialect.token_parameter: request.max_tokens,
        }
        if request.schema is not None:
            response_format = dialect.response_format.parameter(request.schema)
            if response_format is not None:
                body["response_format"] = response_format
            elif request.unformatted is not None:
                body["messages"] = list(request.unformatted)
        body |= parameters
        if request.seed is not None:
            body["seed"] = request.seed
        return pydantic_core.to_json(body)


@dataclass(frozen=True, slots=True)
class _Request:
    """The part of a request that is the same in every attempt."""

    messages: Sequence[Message]
    max_tokens: int
    schema: Mapping[str, Any] | None
    unformatted: Sequence[Message] | None
    seed: int | None

    @property
    def most_tokens(self) -> Tokens:
        """What one attempt can use."""
        return Tokens(most_prompt_tokens(self.messages, self.schema), self.max_tokens)


@dataclass(slots=True)
class _Check:
    """Whether a deployment that rejects row after row rejects everything, and since when."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    last_number: int = 0  # requests that started up to here share the result
    refusal: TeacherDown | None = None


@dataclass(slots=True)
class _Attempts:
    """The attempts at one request so far."""

    reservation: Tokens  # of each attempt
    is_further: bool = False  # whether its row has been asked before
    requests: int = 0
    failures: int = 0  # the attempts that count against `max_attempts`
    throttled: int = 0
    pause: float = 0.0  # seconds until the next attempt, after the last 429
    is_stray: bool = False  # whether that 429 delays this request alone
    deadline: float | None = None
    last_failure: str = ""

    def begin(self, now: float, row_deadline_seconds: float) -> float:
        """Count a request, and return the seconds until the row's deadline. Raises RowFailure.

        A row's time begins with its first request: waiting for a turn says nothing about the
        teacher.
        """
        if self.deadline is None:
            self.deadline = now + row_deadline_seconds
        if now >= self.deadline:
            raise self._deadline_failure()
        self.requests += 1
        return self.deadline - now

    def check_deadline(self, pause: float) -> None:
        """Raise RowFailure if the row's deadline passes during a pause."""
        if self.deadline is not None and time.monotonic() + pause > self.deadline:
            raise self._deadline_failure()

    def _deadline_failure(self) -> RowFailure:
        detail = f"no answer in time; last: {self.last_failure}"
        return RowFailure(RejectionReason.DEADLINE, detail, self.requests)


class TeacherClient:
    """Asks one teacher for completions. Made by `open_teacher`."""

    def __init__(
        self,
        deployments: Mapping[Gate, _Deployment],
        spec: TeacherSpec,
        scheduler: RequestScheduler,
        lane: Lane,
        budget: Budget,
        *,
        checks_rejections: bool = True,
    ) -> None:
        self._deployments = deployments
        self._checks = {gate: _Check() for gate in deployments} if checks_rejections else {}
        self._spec = spec
        self._scheduler = scheduler
        self._lane = lane
        self._jitter = random.Random()
        self._parameters = set_parameters(spec)
        self._budget = budget
        self._waits = StoppableWaits()

    def when_none_waits(self, call: Callable[[], None]) -> None:
        """Call this whenever the last waiting request is sent, so that new ones can be added."""
        self._lane.on_empty = call

    def stop(self) -> None:
        """Send nothing more. Requests that aren't in flight raise NotSent, now and from now on."""
        self._waits.stop()

    @property
    def problems(self) -> dict[str, str]:
        """Return why deployments were left out while others worked, by their setting."""
        return {
            deployment.settings.url_setting: gate.problem
            for gate, deployment in self._deployments.items()
            if gate.problem
        }

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        schema: Mapping[str, Any] | None = None,
        unformatted: Sequence[Message] | None = None,
        seed: int | None = None,
        is_further: bool = False,
    ) -> Completion:
        """Return one reply to these messages, after as many retries as it takes.

        `schema` is the JSON Schema of the reply. A teacher without structured output is not held to
        it, and gets the messages `unformatted` instead if there are any. `seed` replaces the
        specification's. Further requests of a row go before the first ones of others, so that few
        rows are begun and not answered when the run stops.

        Raises RowFailure when this request cannot be answered, TeacherDown when none can,
        OverBudget when it could exceed the budget, and NotSent once the client is stopped.
        """
        tokens = max_tokens or self._spec.max_tokens
        request = _Request(messages, tokens, schema, unformatted, seed)
        reservation = request.most_tokens if self._budget.counts_tokens else NO_TOKENS
        attempts = _Attempts(reservation, is_further)
        while True:
            outcome = await self._send_in_turn(request, attempts)
            if isinstance(outcome, Completion):
                if attempts.requests == 1:
                    return outcome
                return replace(outcome, requests=attempts.requests)
            if isinstance(outcome, SendAgain):
                continue
            attempts.last_failure = outcome.detail
            if isinstance(outcome, Throttled):
                await self._wait_after_throttling(attempts)
            else:
                await self._back_off(outcome, attempts)

    async def _send_in_turn(self, request: _Request, attempts: _Attempts) -> Outcome:
        """Wait for a turn and send the request once. Raises TeacherDown, OverBudget, NotSent."""
        with self._waits.waiting():
            turn = await self._begin(attempts)
        try:
            outcome = await self._send_and_settle(request, attempts, turn)
            if isinstance(outcome, Throttled):
                self._record_throttling(turn, outcome, attempts)
            if isinstance(outcome, Completion):
                turn.gate.record_acceptance()
            elif isinstance(outcome, Failed) and outcome.reason == RejectionReason.TEACHER_REJECTED:
                turn.gate.record_rejection()
                await self._check_deployment(turn, request)
            return self._record_health(turn, outcome)
        except ParameterRefused:
            raise
        except TeacherDown as refusal:
            now = time.monotonic()
            if self._scheduler.others_may_answer(turn.gate, now):
                turn.gate.close(now, turn.number, REFUSED_SECONDS, str(refusal))
                return SendAgain()
            raise self._with_other_problems(refusal) from None
        finally:
            self._scheduler.end(self._lane, turn)

    async def _begin(self, attempts: _Attempts) -> Turn:
        """Wait for a turn and a reservation. No turn is held while waiting for the budget."""
        is_further = attempts.is_further or attempts.requests > 0
        turn = await self._scheduler.begin(self._lane, is_retry=is_further)
        if self._budget.try_reserve(attempts.reservation):
            return turn
        self._scheduler.end(self._lane, turn)
        await self._budget.reserve(attempts.reservation, is_further=is_further)
        try:
            return await self._scheduler.begin(self._lane, is_retry=True)
        except BaseException:
            self._budget.release(attempts.reservation)
            raise

    async def _send_and_settle(self, request: _Request, attempts: _Attempts, turn: Turn) -> Outcome:
        """Send the request once, and replace its reservation by what it has used."""
        try:
            seconds_left = attempts.begin(time.monotonic(), self._spec.row_deadline_seconds)
        except RowFailure:
            self._budget.release(attempts.reservation)
            raise
        return await self._send_reserved(request, attempts.reservation, turn, seconds_left)

    async def _send_reserved(
        self, request: _Request, reservation: Tokens, turn: Turn, seconds: float
    ) -> Outcome:
        try:
            outcome = await self._send(request, turn, seconds)
        except BaseException as error:
            is_refused = isinstance(error, TeacherDown)
            used = NO_TOKENS if is_refused else request.most_tokens
            self._budget.settle(reservation, used)
            raise
        used = used_tokens(outcome, request.messages, request.schema, request.max_tokens)
        self._budget.settle(reservation, used)
        return outcome

    async def _check_deployment(self, turn: Turn, rejected: _Request) -> None:
        """Raise TeacherDown if a deployment that rejects row after row rejects any request.

        Rows that it has rejected in the meantime wait for the same result.
        """
        gate = turn.gate
        check = self._checks.get(gate)
        if check is None or not gate.has_rejected_often:
            return
        with self._waits.waiting():
            await check.lock.acquire()
        try:
            if turn.number > check.last_number:
                if not gate.has_rejected_often:
                    return
                check.refusal = await self._refusal(turn, rejected)
                check.last_number = gate.last_number
                if check.refusal is None:
                    gate.record_acceptance()
        finally:
            check.lock.release()
        if check.refusal is not None:
            raise TeacherDown(str(check.refusal), code=check.refusal.code)

    async def _refusal(self, turn: Turn, rejected: _Request) -> TeacherDown | None:
        """Send a minimal request in a row's turn. Return why it's rejected, None if it isn't.

        The turn is held while it waits for the budget: requests in flight settle meanwhile.
        """
        request = _Request(IN_WORDS, self._spec.max_tokens, None, None, None)
        if rejected.schema is not None:
            request = replace(request, messages=IN_JSON, schema=SCHEMA, unformatted=IN_WORDS)
        reservation = request.most_tokens if self._budget.counts_tokens else NO_TOKENS
        if not self._budget.try_reserve(reservation):
            try:
                with self._waits.waiting():
                    await self._budget.reserve(reservation, is_further=True)
            except OverBudget:
                return None
        seconds = self._spec.timeout_seconds
        outcome = await self._send_reserved(request, reservation, turn, seconds)
        if not isinstance(outcome, Failed) or outcome.reason != RejectionReason.TEACHER_REJECTED:
            return None
        settings = self._deployments[turn.gate].settings
        message = (
            f"the teacher rejects every request by now, even the simplest. "
            f"{outcome.detail.rstrip('.')}. Check the deployment at the app setting "
            f"{settings.url_setting}, and resume: the rows that it rejected are asked again"
        )
        return TeacherDown(message, code=teacher_code(outcome.status))

    def _record_throttling(self, turn: Turn, outcome: Throttled, attempts: _Attempts) -> None:
        attempts.throttled += 1
        pause = outcome.retry_after
        if pause is None:
            pause = backoff(attempts.throttled, self._jitter)
        now = time.monotonic()
        attempts.is_stray = turn.gate.rate.record_refusal(
            now, turn.number, pause, is_told=outcome.retry_after is not None
        )
        others = [other.delay(now) for other in self._scheduler.others_open(turn.gate, now)]
        attempts.pause = min([pause, *others])

    def _record_health(self, turn: Turn, outcome: Outcome) -> Outcome:
        """Record whether a deployment works, and leave out one that doesn't while another does."""
        if not isinstance(outcome, Failed) or outcome.reason not in UNHEALTHY:
            turn.gate.record_answer(turn.number)
            return outcome
        turn.gate.record_failure()
        is_unreachable = outcome.reason == RejectionReason.CONNECTION
        if is_unreachable or turn.gate.has_failed_often:
            now = time.monotonic()
            if self._scheduler.others_open(turn.gate, now):
                turn.gate.close(now, turn.number, UNREACHABLE_SECONDS, outcome.detail)
                if is_unreachable:
                    return SendAgain()  # it has cost the row nothing
        return outcome

    def _with_other_problems(self, refusal: TeacherDown) -> TeacherDown:
        """Return the last deployment's refusal with what is wrong with the others."""
        others = [f"{place}: {problem}" for place, problem in self.problems.items()]
        return TeacherDown("; ".join([str(refusal), *others]), code=refusal.code)

    async def _wait_after_throttling(self, attempts: _Attempts) -> None:
        """Wait if refusals are stray; otherwise the request waits in its lane like all others."""
        attempts.check_deadline(attempts.pause)
        if attempts.is_stray:
            with self._waits.waiting():
                await asyncio.sleep(attempts.pause)

    async def _back_off(self, outcome: Failed, attempts: _Attempts) -> None:
        """Wait before the next attempt. Raises RowFailure if there is none."""
        attempts.failures += 1
        if not outcome.is_retried or attempts.failures >= self._spec.max_attempts:
            raise RowFailure(outcome.reason, outcome.detail, attempts.requests)
        pause = outcome.retry_after
        if pause is None:
            pause = backoff(attempts.failures, self._jitter)
        attempts.check_deadline(pause)
        if pause:
            with self._waits.waiting():
                await asyncio.sleep(pause)

    async def _send(self, request: _Request, turn: Turn, seconds_left: float) -> Outcome:
        """Send the request and record in its gate how the teacher responded."""
        deployment = self._deployments[turn.gate]
        dialect = deployment.capabilities.dialect
        payload = deployment.payload(request, dialect, self._parameters)
        timeout = min(self._spec.timeout_seconds, seconds_left)
        began = time.monotonic()
        try:
            headers = await deployment.endpoint.authorization()
            reply = await deployment.endpoint.connections.post(headers, payload, timeout)
        except TimeoutError:
            turn.gate.window.record_failure(time.monotonic())
            detail = f"no reply within {self._spec.timeout_seconds:g} s"
            return Failed(RejectionReason.TIMEOUT, detail)
        except NoReply as error:
            turn.gate.window.record_failure(time.monotonic())
            is_sent = not isinstance(error, NotConnected)
            return Failed(RejectionReason.CONNECTION, str(error), is_sent=is_sent)
        except NoToken as error:
            remedy = f"Set the app setting {deployment.settings.key_setting}, or check the identity"
            detail = f"no token for the teacher. {remedy}: {error}"
            return Failed(RejectionReason.CONNECTION, detail, is_sent=False)
        except ProxyRefused as error:
            raise TeacherDown(str(error), code=teacher_code(error.status)) from None
        _record_reply(turn, reply, began, self._spec.timeout_seconds)
        sent = SentRequest(
            dialect,
            request.schema is not None,
            self._parameters.keys(),
            request.max_tokens,
            deployment.settings.url_setting,
            deployment.settings.key_setting,
        )
        return read_reply(reply, deployment.capabilities, sent)


def _record_reply(turn: Turn, reply: Reply, began: float, timeout: float) -> None:
    now = time.monotonic()
    rate = turn.gate.rate
    window = turn.gate.window
    for name, limit in rate_limits(reply.headers).items():
        if limit.remaining is not None and limit.reset is not None:
            rate.record_quota(
                name, turn.number, remaining=limit.remaining, sent=began, reset=limit.reset
            )
    if reply.status != 429:
        rate.record_admitted(turn.number)
    if reply.status == 503:
        window.record_failure(now)
    elif reply.is_success:
        window.record_answer(now, now - began, is_full=turn.gate.is_full, timeout=timeout)


def _identity() -> AsyncTokenCredential:
    # imported here, as it takes 150 ms that an app with a key need not spend
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential()


async def _token(credential: AsyncTokenCredential, scope: str) -> str:
    """Return an access token. Raises NoToken: the identity's service may only be slow or busy."""
    from azure.core.exceptions import AzureError

    try:
        async with asyncio.timeout(MAX_TOKEN_SECONDS):
            return (await credential.get_token(scope)).token
    except TimeoutError:
        raise NoToken(f"its service gave none in {MAX_TOKEN_SECONDS} s") from None
    except AzureError as error:
        raise NoToken(" ".join(str(error).split())[:MAX_TOKEN_ERROR_CHARACTERS]) from None


@asynccontextmanager
async def _open_endpoint(
    settings: TeacherEndpoint, scope: str, redact: Redact
) -> AsyncGenerator[_Endpoint]:
    key = settings.api_key.get_secret_value() if settings.api_key else None
    credential = None if key else _identity()
    key_header = header("Authorization", f"Bearer {key}") if key else {}
    try:
        async with Connections(f"{settings.base_url}/chat/completions", redact) as connections:
            yield _Endpoint(connections, key_header, credential, scope)
    finally:
        if credential is not None:
            await credential.close()


def deployment_names(
    settings: Settings, model: str, endpoints: Sequence[TeacherEndpoint]
) -> list[DeploymentName]:
    """Return the base URL and the model of each deployment."""
    return [(endpoint.base_url, settings.model_at(endpoint, model)) for endpoint in endpoints]


@asynccontextmanager
async def open_teacher(
    settings: Settings,
    spec: TeacherSpec,
    run_id: str = "",
    endpoints: Sequence[TeacherEndpoint] | None = None,
    dialect: Dialect | None = None,
    *,
    budget: Budget,
) -> AsyncGenerator[TeacherClient]:
    """Open a client of the teacher in these settings. `spec.model` must be resolved.

    Every request is held to `budget`, and counts towards the `concurrency` of the run `run_id`.
    Requests go to all deployments, or only to these `endpoints`, whose rejections are then left to
    the caller to explain. A `dialect` is tried, and what it teaches is kept from others.
    """
    chosen = settings.endpoints if endpoints is None else endpoints
    names = deployment_names(settings, spec.model or "", chosen)
    scheduler = process_scheduler(*names)
    learned = current().part(LearnedCapabilities)
    names_of_models = [settings.teacher_model, spec.model, *(each.model for each in chosen)]
    models = {name.lower() for name in names_of_models if name}
    secrets = [*secrets_of(settings), *current().secrets]
    redact = redactor(secret for secret in secrets if secret.lower() not in models)
    deployments: dict[Gate, _Deployment] = {}
    async with AsyncExitStack() as opened:
        for gate, endpoint, name in zip(scheduler.gates, chosen, names, strict=True):
            key = (endpoint.base_url, endpoint.api_key, settings.teacher_scope)
            opening = partial(_open_endpoint, endpoint, settings.teacher_scope, redact)
            connected = await opened.enter_async_context(shared(key, opening))
            capabilities = Capabilities(dialect) if dialect else learned.of(*name)
            deployments[gate] = _Deployment(connected, endpoint, name[1], capabilities)
        with scheduler.lane(run_id, spec.concurrency) as lane:
            yield TeacherClient(
                deployments, spec, scheduler, lane, budget, checks_rejections=endpoints is None
            )
