"""What every backend has in common: the request, the answer, and what can go wrong between them.

A backend is synchronous and safe to call from several threads at once: concurrency is the caller's.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, Protocol

from promptforge.errors import PromptforgeError

__all__ = ["Answer", "Backend", "BackendError", "Fault", "Finish", "Request", "ToolCall", "Usage"]

Finish = Literal["stop", "length", "refusal", "tool", "other"]

Fault = Literal[
    "unreachable",  # nobody listens, the name is unknown, the connection was cut
    "not_http",  # something else listens there
    "timed_out",
    "endless",  # it sends without end
    "rate_limited",  # 429
    "overloaded",  # 503, 529
    "server",  # 500 and its kin
    "no_key",  # the environment variable is not set
    "auth",  # 401, 403
    "not_found",  # 404: no such path or model
    "too_long",  # the prompt exceeds the model's context
    "rejected",  # any other 4xx: the request itself is wrong
    "not_json",  # HTML, half a JSON
    "no_choice",  # well-formed, but without an answer in it
    "not_recorded",  # replay has no such exchange
    "barred",  # clearance: not sent
    "stopped",  # the caller's event was set before the answer was whole
]
"""What went wrong; the tables of messages and hints are by these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent, in the terms of no provider."""

    system: str
    messages: tuple[tuple[str, str], ...]
    """(role, content), roles `user` and `assistant`; the last one is the user's."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """JSON Schema functions: {name, description, parameters}."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Sent as they are: temperature, max_tokens, seed, …"""
    cache_prefix: int | None = None
    """How many leading messages (the few-shot) a provider should cache together with the system prompt; None: nothing.

    It changes the price and never the answer, so it is no part of a request's identity.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the server counted them; None where it did not say."""

    input_tokens: int | None = None
    """All of the prompt, cached or not."""
    output_tokens: int | None = None
    cached_tokens: int | None = None
    """Those of the input that came from a cache."""
    cache_write_tokens: int | None = None

    def __add__(self, other: "Usage") -> "Usage":
        """The tokens of two requests; not known where either is not."""
        pairs = {one.name: (getattr(self, one.name), getattr(other, one.name)) for one in fields(Usage)}
        return Usage(**{name: None if None in pair else sum(pair) for name, pair in pairs.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A function that the model wants called."""

    name: str
    arguments: Mapping[str, Any] | None
    """None when what the model wrote is no JSON object."""
    raw: str = ""
    """The arguments as the model wrote them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    text: str
    reasoning: str = ""
    """Kept apart, where the server keeps it apart; never scored."""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish = "stop"
    usage: Usage = Usage()
    latency_s: float = 0.0
    first_token_s: float | None = None
    """Only a streamed answer has one."""
    model: str = ""
    """As the server named it. It proves nothing: many echo what was asked for."""
    fingerprint: str = ""
    """`system_fingerprint`, where there is one."""
    retries: int = 0


class BackendError(PromptforgeError):
    """A backend did not answer: `fault` says how, `message` what, `hint` what to do."""

    exit_code: ClassVar[int] = 4

    def __init__(
        self,
        fault: Fault,
        message: str,
        *,
        hint: str = "",
        retryable: bool = False,
        retry_after_s: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.fault: Fault = fault
        self.retryable = retryable
        """Whether the same request may succeed later."""
        self.retry_after_s = retry_after_s
        """What the server asked for (Retry-After)."""
        self.status = status


class Backend(Protocol):
    """What answers.

    One may have more: `probe`, what its server says of itself; `shares_thread`, true where a call that waits lets the
    other lanes of its thread go on (`lanes.py`).
    """

    @property
    def name(self) -> str:
        """Of the kind: `compatible`, `openai` and so on."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What tells this server and model from another one, without a request: base_url, model, version of the API.

        Part of a request's identity, so that no answer of another server is ever reused. Never holds a key.
        """

    def answer(self, request: Request, *, timeout_s: float, stop: threading.Event | None = None) -> Answer:
        """Send once; no retries here. Raises BackendError."""

    def stream(
        self,
        request: Request,
        on_text: Callable[[str], None],
        *,
        timeout_s: float,
        stop: threading.Event | None = None,
    ) -> Answer:
        """Send once, handing over the text as it comes; the answer is the whole. Raises BackendError."""

    def close(self) -> None:
        """Give back the connections."""
