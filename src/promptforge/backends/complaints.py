"""What the SDKs and the HTTP library below them complain about, in the words that `faults` has for every backend.

The tables hold names of classes, not the classes, so that reading them imports no SDK; a test walks all that the SDKs
export. A complaint with a status goes by its status and words; one that comes in the middle of a stream has no status,
so its code is looked up; one without any answer goes by what lies at its bottom.
"""

import http.client
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from promptforge.backends.base import BackendError, Fault
from promptforge.backends.faults import Place, error_words, no_answer, not_json, refusal
from promptforge.backends.watch import ConnectTimeoutError, EndlessError, OverdueError, StoppedError

__all__ = ["CLASSES", "FAULT_HINTS", "HINTS", "STATUS_OF", "UNREADABLE", "ReportedError", "refused", "translate"]

STATUS_OF: Mapping[str, int] = {
    # OpenAI
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "invalid_api_key": 401,
    "model_not_found": 404,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    # Anthropic
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
    # llama.cpp
    "exceed_context_size_error": 400,
    "unavailable_error": 503,
}
"""The provider's code of an error that came without a status (in a stream) to the status that it has otherwise."""

_Stand = Callable[[str], BaseException]


def _cut_or_not_http(said: str) -> BaseException:
    if re.search(r"(?i)incomplete|closed connection|connection closed", said):
        return http.client.IncompleteRead(b"")
    if re.search(r"(?i)disconnected|without sending", said):
        return http.client.RemoteDisconnected(said)
    return http.client.HTTPException(said)


CLASSES: Mapping[str, _Stand] = {
    # the HTTP library's
    "ConnectTimeout": ConnectTimeoutError,
    "TimeoutException": TimeoutError,
    "RemoteProtocolError": _cut_or_not_http,
    "DecodingError": http.client.HTTPException,
    "UnsupportedProtocol": http.client.InvalidURL,
    "LocalProtocolError": http.client.InvalidURL,
    "InvalidURL": http.client.InvalidURL,
    "ProxyError": OSError,
    "TransportError": OSError,
    "HTTPError": OSError,
    # the SDKs'
    "APITimeoutError": TimeoutError,
    "APIConnectionError": OSError,
    "OpenAIError": OSError,
    "AnthropicError": OSError,
}
"""The name of an exception's class to the exception of the standard library that says the same: `faults` knows that."""

UNREADABLE = ("ValueError", "TypeError", "AttributeError", "LookupError", "APIResponseValidationError")
"""What an SDK stumbles over in an answer that is none."""

_REFUSED = re.compile(
    r"(?i)content_filter|content_policy_violation|blocked by content filtering policy|violating our usage policy"
)
HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"max_tokens.*max_completion_tokens"),
        "write `params: {max_completion_tokens: …}` in place of max_tokens: this model wants it so",
    ),
    (
        re.compile(r"(?i)credit balance|current quota|billing"),
        "top up the account or raise its limit: waiting does not help",
    ),
    (
        re.compile(r"(?i)\b(temperature|top_p|top_k)\b.*(support|deprecat)"),
        "take it out of `params`: this model takes its own default only",
    ),
    (
        re.compile(r"(?i)extra inputs are not permitted|unrecognized request argument|unknown parameter"),
        "take it out of `params`: they are sent as they are, and this provider does not know it",
    ),
)
"""What the provider says to the hint that helps; the first that matches."""

FAULT_HINTS: Mapping[Fault, str] = {
    "server": "try again later: what is answered already is kept",
    "overloaded": "try again later, or ask less at once: what is answered already is kept",
    "rate_limited": "ask less at once, or raise the limit at the provider",
    "too_long": "lower the agent's budget or max_tokens, or take a model with a larger context",
    "not_found": "mend `model` or `base_url` in promptforge.yaml; the key may also not be allowed to use the model",
    "no_choice": "ask again; if it stays so, check params and tools",
}
"""Of the others, where a provider's server is not one's own: nobody can read its log."""


class ReportedError(Exception):
    """An error in place of an answer, with the status of success, as some gateways send it."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__("an error in place of an answer")
        self.body = dict(body)


def refused(error: BaseException) -> str | None:
    """What the provider says where its error is a content refusal, which is an answer and is scored; else None."""
    said = error_words(_body(error))
    return said if _REFUSED.search(said) else None


def translate(error: BaseException, place: Place, path: str) -> BackendError | None:
    """The same complaint in our words; None for an exception that is none of an SDK's. The caller raises it `from`."""
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, BackendError):
            link.hint = FAULT_HINTS.get(link.fault, link.hint)
            return link
        if isinstance(link, (EndlessError, OverdueError, StoppedError)):
            return no_answer(link, place)
    body = _body(error)
    if body is not None or getattr(error, "status_code", None) is not None:
        return _by_status(error, body, place, path)
    if any(kind.__name__ in UNREADABLE for kind in type(error).__mro__):
        return not_json({}, str(getattr(error, "doc", "") or error).encode(), place)
    return _by_class(chain, place)


def _hint(error: BackendError) -> str:
    """What to do about an error at a provider."""
    said = next((hint for pattern, hint in HINTS if pattern.search(error.message)), "")
    return said or FAULT_HINTS.get(error.fault, error.hint)


def _by_status(error: BaseException, body: Any, place: Place, path: str) -> BackendError:
    """An error that the server sent."""
    response = getattr(error, "response", None)
    headers = {name.lower(): value for name, value in getattr(response, "headers", {}).items()}
    status = getattr(error, "status_code", None) or 200
    if status < 300:
        status = _status_of(body)
        headers.pop("retry-after", None)
    written = body.encode() if isinstance(body, str) else json.dumps(body, default=str).encode()
    made = refusal(status, headers, written if body is not None else b"", place)
    if made.fault == "not_found" and "chat/completions" in made.message:
        made = BackendError("not_found", made.message.replace("chat/completions", path), status=status)
    made.hint = _hint(made)
    if headers.get("x-should-retry") in ("true", "false"):
        made.retryable = headers["x-should-retry"] == "true"
    return made


def _by_class(chain: list[BaseException], place: Place) -> BackendError | None:
    """An error before there was an answer: what lies at the bottom says the most."""
    names = (kind.__name__ for link in reversed(chain) for kind in type(link).__mro__)
    stand = next((CLASSES[name] for name in names if name in CLASSES), None)
    if stand is None:
        return None
    bottom = chain[-1]
    return no_answer(bottom if stand is OSError and isinstance(bottom, OSError) else stand(str(bottom)), place)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__  # the HTTP libraries hide what the system said, but it is there


def _body(error: BaseException) -> Any:
    """The body of an error as the SDKs keep it: all of it, or what stood under `error`."""
    body = getattr(error, "body", None)
    return {"error": body} if isinstance(body, dict) and "error" not in body else body


def _status_of(body: Any) -> int:
    """The status that an error would have had: by its codes."""
    inner = body.get("error") if isinstance(body, dict) else None
    codes = [inner.get("code"), inner.get("type")] if isinstance(inner, dict) else []
    for code in filter(None, codes):
        if isinstance(code, int) and 400 <= code < 600:
            return code
        if code in STATUS_OF:
            return STATUS_OF[code]
    return 500
