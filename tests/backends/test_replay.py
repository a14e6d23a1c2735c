"""Recordings: what is recorded comes back, what is not is explained, and nothing is lost."""

import errno
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.backends.base import Answer, BackendError, Request, ToolCall, Usage
from promptforge.backends.replay import Recording, Replay, request_hash
from promptforge.document import Decimal
from promptforge.errors import InputError, WriteError
from promptforge.model import Model
from strategies import tries

FULL = Answer(
    text="Port 42069.\nReally.",
    reasoning="hm",
    tool_calls=(ToolCall(name="on", arguments={"id": "light.hall"}, raw='{"id": "light.hall"}'),),
    finish="tool",
    usage=Usage(input_tokens=20, output_tokens=3, cached_tokens=16),
    latency_s=0.25,
    first_token_s=0.1,
    model="coder",
    fingerprint="fp",
)


class Scripted:
    """A backend that says what it is told to say."""

    name = "compatible"
    identity = {"backend": "compatible", "base_url": "http://192.0.2.10:1337/v1", "model": "coder"}  # noqa: RUF012

    def __init__(self, *said: Answer | BackendError) -> None:
        self.said = list(said)
        self.stops: list[threading.Event | None] = []
        self.closed = False

    def answer(self, request: Request, *, timeout_s: float, stop: threading.Event | None = None) -> Answer:
        """The next thing, and at the end the last one again."""
        self.stops.append(stop)
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(said, BackendError):
            raise said
        return said

    def stream(
        self,
        request: Request,
        on_text: Callable[[str], None],
        *,
        timeout_s: float,
        stop: threading.Event | None = None,
    ) -> Answer:
        """The same, in one piece."""
        answer = self.answer(request, timeout_s=timeout_s, stop=stop)
        on_text(answer.text)
        return answer

    def close(self) -> None:
        """Remember it."""
        self.closed = True


def asked(question: str = "Which port?", system: str = "You are Windu.\nBe brief.", **params: object) -> Request:
    """A request."""
    return Request(system=system, messages=(("user", question),), params=params)


def record(path: Path, request: Request, *said: Answer | BackendError) -> None:
    """Record what a backend says to a request, once for each thing that it says."""
    recording = Recording(Scripted(*said), path)
    for one in said:
        if isinstance(one, BackendError):
            with pytest.raises(BackendError):
                recording.answer(request, timeout_s=1)
        else:
            assert recording.answer(request, timeout_s=1) == one
    recording.close()


def replay(path: Path) -> Replay:
    """The backend that plays a file back."""
    model = Model(name="tape", backend="replay", tier="local", settings={"backend": "replay", "model": path.name})
    return Replay(model, path.parent)


def test_what_is_recorded_comes_back(tmp_path):
    """Every part of the answer, usage and latency included."""
    path = tmp_path / "tape.jsonl"
    record(path, asked(), FULL)
    one = replay(path)
    assert one.answer(asked(), timeout_s=1) == FULL
    assert one.answer(asked(), timeout_s=1) == FULL
    one.close()


def test_a_stream_comes_back_in_pieces(tmp_path):
    path = tmp_path / "tape.jsonl"
    pieces: list[str] = []
    scripted, stop = Scripted(FULL), threading.Event()
    Recording(scripted, path).stream(asked(), pieces.append, timeout_s=1, stop=stop)
    assert (pieces, scripted.stops) == ([FULL.text], [stop])
    pieces.clear()
    assert replay(path).stream(asked(), pieces.append, timeout_s=1) == FULL
    assert len(pieces) == 3
    assert "".join(pieces) == FULL.text


def test_repeats_come_back_in_their_order(tmp_path):
    """Three answers to the same request are three answers; after the last one it is the last one again."""
    path = tmp_path / "tape.jsonl"
    record(path, asked(), *(replace(FULL, text=text) for text in "abc"))
    one = replay(path)
    assert [one.answer(asked(), timeout_s=1).text for _ in range(5)] == ["a", "b", "c", "c", "c"]


def test_a_later_session_replaces_an_earlier_one(tmp_path):
    """Recording anew is enough: nothing needs to be deleted first."""
    path = tmp_path / "tape.jsonl"
    record(path, asked(), *(replace(FULL, text=text) for text in "abc"))
    record(path, asked(), replace(FULL, text="new"))
    one = replay(path)
    assert [one.answer(asked(), timeout_s=1).text for _ in range(2)] == ["new", "new"]


def test_a_fault_of_a_server_is_recorded_too(tmp_path):
    """Played back, it goes wrong again in the same way."""
    path = tmp_path / "tape.jsonl"
    fault = BackendError("overloaded", "busy", hint="wait", retryable=True, retry_after_s=2.0, status=503)
    record(path, asked(), fault, FULL)
    one = replay(path)
    with pytest.raises(BackendError) as caught:
        one.answer(asked(), timeout_s=1)
    for name in ("fault", "message", "hint", "retryable", "retry_after_s", "status"):
        assert getattr(caught.value, name) == getattr(fault, name)
    assert one.answer(asked(), timeout_s=1) == FULL


@pytest.mark.parametrize("fault", ["no_key", "barred", "stopped", "not_recorded"])
def test_a_fault_of_our_own_is_not_recorded(fault, tmp_path):
    """It would not come of another environment."""
    path = tmp_path / "tape.jsonl"
    record(path, asked(), BackendError(fault, "m"))
    assert not path.exists()


def test_the_identity_is_what_the_recording_holds(tmp_path):
    """An answer of another recording is never reused; while recording, it is the backend's own."""
    path = tmp_path / "tape.jsonl"
    record(path, asked(), FULL)
    first = replay(path).identity
    assert first["backend"] == "replay"
    assert first["model"] == "tape.jsonl"
    record(path, asked("Another?"), FULL)
    assert replay(path).identity != first
    recording = Recording(Scripted(FULL), path)
    assert recording.identity == Scripted.identity
    assert recording.name == "compatible"


def test_closing_closes_the_backend(tmp_path):
    backend = Scripted(FULL)
    Recording(backend, tmp_path / "tape.jsonl").close()
    assert backend.closed


def test_only_the_owner_may_read_a_recording(tmp_path):
    """It holds prompts, and a prompt may hold private facts."""
    path = tmp_path / "deep" / "tape.jsonl"
    record(path, asked(), FULL)
    assert path.stat().st_mode & 0o777 == 0o600


# ---- What decides an answer ------------------------------------------------------------------------------------------


def test_what_decides_an_answer_is_hashed():
    """System, messages, tools and params; not what only decides the price, nor how a number is written."""
    one = asked(temperature=0.1, stop=["a"])
    assert request_hash(one) == request_hash(replace(one, cache_prefix=2))
    assert request_hash(one) == request_hash(asked(temperature=Decimal("0.10"), stop=("a",)))
    assert request_hash(one) == request_hash(asked(stop=["a"], temperature=0.1))
    others = [
        asked(temperature=0.2, stop=["a"]),
        replace(one, system="x"),
        replace(one, messages=(("user", "x"),)),
        replace(one, messages=(("assistant", "Which port?"),)),
        replace(one, tools=({"name": "f"},)),
    ]
    assert len({request_hash(other) for other in [one, *others]}) == 6


@tries(50)
@given(
    st.text(),
    st.text(),
    st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False) | st.text(max_size=5), max_size=3),
)
def test_any_text_survives(tmp_path_factory, system, question, params):
    """Line separators, quotes, lone surrogates: one exchange is one line."""
    path = tmp_path_factory.mktemp("tape") / "tape.jsonl"
    request = Request(system=system, messages=(("user", question),), params=params)
    answer = replace(FULL, text=question + "\u2028\x85\r\n" + system)
    record(path, request, answer)
    assert path.read_bytes().count(b"\n") == 1
    assert replay(path).answer(request, timeout_s=1) == answer


# ---- What is not recorded --------------------------------------------------------------------------------------------


def missing(path: Path, request: Request) -> str:
    """What is said of a request that is not recorded."""
    with pytest.raises(BackendError) as caught:
        replay(path).answer(request, timeout_s=1)
    assert caught.value.fault == "not_recorded"
    assert not caught.value.retryable
    assert caught.value.hint == (
        "give the model its own backend again, then: promptforge bench --record tape.jsonl (known answers go in, too)"
    )
    return caught.value.message.removeprefix("'tape.jsonl' holds no such exchange: ")


def test_the_nearest_exchange_is_named(tmp_path):
    """Whoever changed a prompt, a question or a parameter is told which."""
    path = tmp_path / "tape.jsonl"
    record(path, asked("Which port has the memory vault?", temperature=0), FULL)
    record(path, asked("Who is Sigrid?", temperature=0), FULL)
    changed = asked("Who is Sigrid?", "You are Windu.\nBe very brief.", temperature=0)
    assert missing(path, changed) == (
        "'Who is Sigrid?' was recorded with another system prompt, which differs from line 2 on"
    )
    assert missing(path, asked("Who is Sigrid?", temperature=1, seed=1)) == (
        "'Who is Sigrid?' was recorded with other params: seed, temperature"
    )
    with_tools = replace(asked("Who is Sigrid?", temperature=0), tools=({"name": "f"},))
    assert missing(path, with_tools) == "'Who is Sigrid?' was recorded with other tools"
    assert missing(path, asked("Which port has the memory bank?", temperature=0)) == (
        "'Which port has the memory bank?' was not asked of this system prompt; "
        "the nearest question is 'Which port has the memory vault?'"
    )
    assert missing(path, asked("Who is Sigrid now?", "Another.")) == (
        "'Who is Sigrid now?' was not asked of any system prompt; the nearest question is 'Who is Sigrid?'"
    )
    (tmp_path / "tape.jsonl").write_text("")
    assert missing(path, asked()) == "it is empty"


def test_a_recording_that_is_not_there(tmp_path):
    with pytest.raises(InputError) as caught:
        replay(tmp_path / "tape.jsonl")
    assert caught.value.message == "the recording 'tape.jsonl': no such file or directory"
    assert caught.value.hint == "record one: promptforge bench --record tape.jsonl"


def test_a_model_that_names_no_recording(tmp_path):
    with pytest.raises(InputError) as caught:
        Replay(Model(name="tape", backend="replay", tier="local"), tmp_path)
    assert caught.value.message == "the model 'tape' names no recording"
    assert caught.value.hint == "write `model: recordings/NAME.jsonl` in promptforge.yaml"


def test_a_recording_that_is_no_text(tmp_path):
    (tmp_path / "tape.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError) as caught:
        replay(tmp_path / "tape.jsonl")
    assert (caught.value.message, caught.value.hint) == ("the recording 'tape.jsonl' is not UTF-8", "record it anew")


def test_a_recording_that_is_too_large(tmp_path):
    with (tmp_path / "tape.jsonl").open("wb") as file:
        file.truncate(513 * 2**20)  # sparse
    with pytest.raises(InputError) as caught:
        replay(tmp_path / "tape.jsonl")
    assert caught.value.message == "the recording 'tape.jsonl' is over 512 MB"
    assert caught.value.hint == "record fewer exchanges in one file"


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "null", "{}", '{"version": 2}', '{"version": 1, "request": {"system": "", "messages": []}}',
     '{"version": 1, "request": {"system": "", "messages": []}, "answer": {}}',
     '{"version": 1, "request": {"system": "", "messages": []}, "answer": {"text": "", "unheard": 1}}',
     '{"version": 1, "request": {"system": "", "messages": []}, "fault": {"fault": "unheard"}}'],
)  # fmt: skip
def test_a_damaged_line_is_named(line, tmp_path):
    """Unless it is the last one without an end: there a process was killed, and all before it is whole."""
    path = tmp_path / "tape.jsonl"
    record(path, asked(), FULL)
    whole = path.read_text()
    path.write_text(f"{whole}\n{line}\n")
    with pytest.raises(InputError) as caught:
        replay(path)
    assert caught.value.message == "tape.jsonl:3 is no recorded exchange"
    assert caught.value.hint == "delete the line: what it held is recorded anew when it is asked again"
    path.write_text(whole + line)
    assert replay(path).answer(asked(), timeout_s=1) == FULL


def test_recording_goes_on_after_a_line_that_was_torn(tmp_path):
    """The next exchange begins a line of its own."""
    path = tmp_path / "tape.jsonl"
    record(path, asked(), FULL)
    path.write_bytes(path.read_bytes()[:-20])
    record(path, asked("Another?"), FULL)
    lines = path.read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["request"]["messages"] == [["user", "Another?"]]


# ---- Threads and full disks ------------------------------------------------------------------------------------------


def test_threads_and_recordings_do_not_mix_lines(tmp_path):
    """Two recordings of one file, eight threads each: every exchange is there, whole."""
    path = tmp_path / "tape.jsonl"
    big = replace(FULL, text="x" * 50_000)
    recordings = [Recording(Scripted(big), path) for _ in range(2)]

    def work(number: int) -> None:
        for round_ in range(5):
            recordings[number % 2].answer(asked(f"{number}:{round_}"), timeout_s=1)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one = replay(path)
    assert all(one.answer(asked(f"{n}:{r}"), timeout_s=1) == big for n in range(16) for r in range(5))


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    """The exchange that did not fit is not passed off as recorded."""
    path = tmp_path / "tape.jsonl"
    recording = Recording(Scripted(FULL), path)
    real = os.write
    monkeypatch.setattr("promptforge.backends.replay.os.write", lambda handle, content: real(handle, content[:30]))
    with pytest.raises(WriteError) as caught:
        recording.answer(asked(), timeout_s=1)
    assert caught.value.message == f"the recording 'tape.jsonl' cannot be written: {os.strerror(errno.ENOSPC).lower()}"
    assert caught.value.hint == "make room, or name another file"
    monkeypatch.undo()
    recording.answer(asked("Another?"), timeout_s=1)
    assert json.loads(path.read_text().splitlines()[1])["take"] == 0


def test_a_folder_is_no_recording(tmp_path):
    with pytest.raises(WriteError):
        Recording(Scripted(FULL), tmp_path)
