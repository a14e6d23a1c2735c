"""Exchanges recorded to a file, and played back: a run without a server, the same each time.

A line of the file is one exchange as JSON: the request, and the answer or the fault that came of it. Where a session
recorded the same request several times (repeats), they are played in that order; a later session replaces an earlier.
"""

import errno
import json
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, get_args

from promptforge.backends.base import Answer, Backend, BackendError, Fault, Finish, Request, ToolCall, Usage
from promptforge.errors import InputError, WriteError
from promptforge.files import digest_of
from promptforge.model import Model

__all__ = ["Recording", "Replay", "request_hash"]

_VERSION = 1
_MOST_BYTES = 512 * 2**20
_FROM_A_SERVER = frozenset(get_args(Fault)) - {"no_key", "barred", "stopped", "not_recorded"}
"""Faults that another server, or none, would not show: these belong to an exchange."""


def request_hash(request: Request) -> str:
    """The hash of all that decides an answer; what only decides its price is no part of it."""
    return digest_of(json.dumps(_request_data(request), sort_keys=True))


def _request_data(request: Request) -> dict[str, Any]:
    """The request in plain data."""
    return {
        "system": request.system,
        "messages": [list(message) for message in request.messages],
        "tools": _plain(request.tools),
        "params": _plain(request.params),
    }


def _plain(value: Any) -> Any:
    """Mappings, tuples and numbers of the user's files as JSON has them: 0.10 and 0.1 are the same number."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return float(value) if isinstance(value, float) else value


# ---- Play back -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exchange:
    """One line of the file."""

    request: Mapping[str, Any]
    answer: Answer | None
    fault: Mapping[str, Any]

    @property
    def question(self) -> str:
        messages = self.request["messages"]
        return str(messages[-1][1]) if messages else ""


class Replay:
    """Plays back the file that the model's `model` names, relative to the project."""

    name = "replay"

    def __init__(self, model: Model, root: Path) -> None:
        self._file = str(model.settings.get("model", ""))
        if not self._file:
            message = f"the model '{model.name}' names no recording"
            raise InputError(message, hint="write `model: recordings/NAME.jsonl` in promptforge.yaml")
        content = _read(root / self._file, self._file)
        self._digest = digest_of(content)
        self._takes = _takes(content, self._file)
        self._played: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def identity(self) -> Mapping[str, str]:
        """The recording, by what it holds."""
        return {"backend": self.name, "model": self._file, "recording": self._digest}

    def answer(self, request: Request, *, timeout_s: float, stop: threading.Event | None = None) -> Answer:
        """The answer as recorded, with its usage and latency. Raises BackendError: `not_recorded`, or as recorded."""
        key = request_hash(request)
        takes = self._takes.get(key)
        if takes is None:
            raise self._not_recorded(request)
        with self._lock:
            number = self._played[key]
            self._played[key] += 1
        exchange = takes[min(number, len(takes) - 1)]
        if exchange.answer is None:
            raise _error_of(exchange.fault)
        return exchange.answer

    def stream(
        self,
        request: Request,
        on_text: Callable[[str], None],
        *,
        timeout_s: float,
        stop: threading.Event | None = None,
    ) -> Answer:
        """The answer as recorded, handed over word by word."""
        answer = self.answer(request, timeout_s=timeout_s)
        for word in re.findall(r"\s*\S+\s*?|\s+", answer.text):
            on_text(word)
        return answer

    def close(self) -> None:
        """Nothing to give back."""

    def _not_recorded(self, request: Request) -> BackendError:
        exchanges = [takes[0] for takes in self._takes.values()]
        why = _nearest(_request_data(request), exchanges)
        message = f"'{self._file}' holds no such exchange: {why}"
        return BackendError("not_recorded", message, hint=_again(self._file))


def _again(file: str) -> str:
    """How to record what a file lacks: a replay itself has nothing to record."""
    return f"give the model its own backend again, then: promptforge bench --record {file} (known answers go in, too)"


def _read(path: Path, name: str) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            hint = "record fewer exchanges in one file"
            raise InputError(f"the recording '{name}' is over {_MOST_BYTES // 2**20} MB", hint=hint)
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        hint = f"record one: promptforge bench --record {name}"
        raise InputError(
            f"the recording '{name}': {(problem.strerror or str(problem)).lower()}", hint=hint
        ) from problem
    except UnicodeDecodeError as problem:
        raise InputError(f"the recording '{name}' is not UTF-8", hint="record it anew") from problem


def _takes(content: str, name: str) -> dict[str, list[_Exchange]]:
    """For each request its exchanges, in the order in which the last session that had it recorded them."""
    found: dict[str, list[_Exchange]] = {}
    lines = content.split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            take, exchange = _exchange(json.loads(line))
        except (ValueError, TypeError, KeyError, LookupError, AttributeError, RecursionError) as problem:
            if number == len(lines):
                continue  # the process that wrote it was killed: every exchange before it is whole
            hint = "delete the line: what it held is recorded anew when it is asked again"
            raise InputError(f"{name}:{number} is no recorded exchange", hint=hint) from problem
        takes = found.setdefault(digest_of(json.dumps(exchange.request, sort_keys=True)), [])
        del takes[take:]
        takes.append(exchange)
    return found


def _exchange(data: Mapping[str, Any]) -> tuple[int, _Exchange]:
    if data["version"] != _VERSION:
        raise ValueError("of another version")
    sent = data["request"]
    request = Request(
        system=sent["system"],
        messages=tuple((role, content) for role, content in sent["messages"]),
        tools=tuple(sent.get("tools", ())),
        params=sent.get("params", {}),
    )
    answer, fault = data.get("answer"), data.get("fault")
    if answer is None and (not fault or fault["fault"] not in get_args(Fault)):
        raise ValueError("an unknown fault")
    made = None if answer is None else _answer_of(answer)
    return int(data.get("take", 0)), _Exchange(request=_request_data(request), answer=made, fault=fault or {})


def _answer_of(data: Mapping[str, Any]) -> Answer:
    finish: Finish = data.get("finish", "stop")
    if finish not in get_args(Finish):
        raise ValueError("an unknown finish")
    calls = tuple(ToolCall(**call) for call in data.get("tool_calls", ()))
    usage = Usage(**data.get("usage", {}))
    return Answer(**{**data, "text": str(data["text"]), "finish": finish, "tool_calls": calls, "usage": usage})


def _error_of(data: Mapping[str, Any]) -> BackendError:
    return BackendError(
        data["fault"],
        str(data.get("message", "")),
        hint=str(data.get("hint", "")),
        retryable=bool(data.get("retryable")),
        retry_after_s=data.get("retry_after_s"),
        status=data.get("status"),
    )


# ---- What comes nearest ----------------------------------------------------------------------------------------------


def _nearest(asked: Mapping[str, Any], exchanges: Iterable[_Exchange]) -> str:
    """How the nearest recorded request differs from the one that was asked."""
    kept = list(exchanges)
    if not kept:
        return "it is empty"
    same = [one for one in kept if one.request["messages"] == asked["messages"]]
    for one in same:
        if one.request["system"] == asked["system"]:
            return f"{_quoted(one.question)} was recorded with other {_other_settings(asked, one.request)}"
    if same:
        near = max(same, key=lambda one: _shared_start(one.request["system"], asked["system"]))
        line = asked["system"][: _shared_start(near.request["system"], asked["system"])].count("\n") + 1
        return f"{_quoted(near.question)} was recorded with another system prompt, which differs from line {line} on"
    question = str(asked["messages"][-1][1]) if asked["messages"] else ""
    same = [one for one in kept if one.request["system"] == asked["system"]]
    near = max(same[:500] or kept[:500], key=lambda one: SequenceMatcher(None, question, one.question).ratio())
    prompt = "this system prompt" if same else "any system prompt"
    return f"{_quoted(question)} was not asked of {prompt}; the nearest question is {_quoted(near.question)}"


def _other_settings(asked: Mapping[str, Any], recorded: Mapping[str, Any]) -> str:
    if asked["tools"] != recorded["tools"]:
        return "tools"
    names = {*asked["params"], *recorded["params"]}
    differ = sorted(n for n in names if asked["params"].get(n) != recorded["params"].get(n))
    return f"params: {', '.join(differ)}"


def _shared_start(one: str, two: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return f"'{line}'" if len(line) <= 80 else f"'{line[:79]}…'"


# ---- Record ----------------------------------------------------------------------------------------------------------


class Recording:
    """Another backend, with every exchange appended to a file as it happens. It can be read by its owner only."""

    def __init__(self, backend: Backend, path: Path) -> None:
        self._backend = backend
        self._path = path
        self._sent: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.path = path
        self.recorded = self.taken_over = 0
        """Exchanges that were written, and how many of these were known before."""
        self.name = backend.name
        self.shares_thread = getattr(backend, "shares_thread", False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._broken_end = path.exists() and not _ends_with_newline(path)
        except OSError as problem:
            raise _not_written(path, problem) from problem

    @property
    def identity(self) -> Mapping[str, str]:
        """That of the backend which answers."""
        return self._backend.identity

    def answer(self, request: Request, *, timeout_s: float, stop: threading.Event | None = None) -> Answer:
        """Ask, and record. Raises BackendError, and WriteError when it cannot be recorded."""
        with self._faults(request):
            answer = self._backend.answer(request, timeout_s=timeout_s, stop=stop)
        self._keep(request, {"answer": asdict(answer)})
        return answer

    def stream(
        self,
        request: Request,
        on_text: Callable[[str], None],
        *,
        timeout_s: float,
        stop: threading.Event | None = None,
    ) -> Answer:
        """Ask, and record the whole. Raises BackendError, and WriteError when it cannot be recorded."""
        with self._faults(request):
            answer = self._backend.stream(request, on_text, timeout_s=timeout_s, stop=stop)
        self._keep(request, {"answer": asdict(answer)})
        return answer

    def take_over(self, request: Request, answer: Answer) -> None:
        """Record what an earlier session asked. Raises WriteError when it cannot be recorded."""
        self._keep(request, {"answer": asdict(answer)})
        self.taken_over += 1

    def close(self) -> None:
        """Give back what the backend holds."""
        self._backend.close()

    @contextmanager
    def _faults(self, request: Request) -> Iterator[None]:
        """What a server did wrong is recorded, too: played back, it is done wrong again."""
        try:
            yield
        except BackendError as problem:
            if problem.fault in _FROM_A_SERVER:
                names = ("fault", "message", "hint", "retryable", "retry_after_s", "status")
                self._keep(request, {"fault": {name: getattr(problem, name) for name in names}})
            raise

    def _keep(self, request: Request, outcome: Mapping[str, Any]) -> None:
        key = request_hash(request)
        with self._lock:  # takes stand in the file in their order
            line = {"version": _VERSION, "take": self._sent[key], "request": _request_data(request), **outcome}
            try:
                self._append(json.dumps(line, default=_plain).encode("ascii") + b"\n")
            except OSError as problem:
                raise _not_written(self._path, problem) from problem
            self._sent[key] += 1
            self.recorded += 1

    def _append(self, content: bytes) -> None:
        """In one write, which no other process can come between."""
        content = b"\n" + content if self._broken_end else content
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        try:
            written = os.write(handle, content)
            self._broken_end = written < len(content)
            if self._broken_end:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(handle)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if not file.tell():
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _not_written(path: Path, problem: OSError) -> WriteError:
    reason = (problem.strerror or str(problem)).lower()
    return WriteError(
        f"the recording '{path.name}' cannot be written: {reason}", hint="make room, or name another file"
    )
