"""Start a model's own server, prove that what listens is ours, and end it with everything that it started."""

import datetime
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from promptforge.backends.base import BackendError
from promptforge.backends.canary import CanaryAnswer, ask_canaries
from promptforge.backends.keys import hide
from promptforge.backends.leftovers import Record, folder_of, forget, keep, prune_logs
from promptforge.backends.listeners import Owner, owners, ports_of
from promptforge.backends.processes import MARK, Process, end, family, here, process
from promptforge.backends.readiness import NotReadyError, await_ready
from promptforge.backends.servecommand import Command, command_of, shown
from promptforge.backends.serveenviron import environment_of
from promptforge.backends.talk import Talk
from promptforge.backends.trouble import ServerError, trouble
from promptforge.errors import WriteError
from promptforge.model import Model

__all__ = ["Serving", "serve"]

_TRIES = 3
"""How often another port is tried when somebody takes ours between choice and start."""
_END_S = 10.0
_AGAIN_S = 0.1
_FREE_S = 5.0
_TAIL_LINES, _TAIL_BYTES = 8, 16_000
_OWN = re.compile(r'"?GET /(health|v1/models)\b')
"""What a log says of our own asking, which would push out its last words."""
_TAKEN = re.compile(r"(?i)address already in use|EADDRINUSE|couldn't bind|could not bind")
"""How servers say that their port was taken, where whoever took it has already left again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A server of ours that is ready."""

    model: Model
    """As requests need it: with this server's address, and the name by which what was loaded is surely reached."""
    base_url: str
    port: int
    pid: int
    group: int
    command: tuple[str, ...]
    log: Path
    started: str
    """When, ISO 8601 in UTC."""
    ready_s: float
    """How long it took until it answered a chat."""
    canary: tuple[CanaryAnswer, ...]
    """What it answered to the fixed requests: keep it with the run."""
    adapter: Path | None = None
    _prove: Callable[[], None] = field(repr=False, compare=False)

    def proof(self) -> None:
        """Return when the process that listens is still the one that was started. Raises ServerError."""
        self._prove()


@contextmanager
def serve(
    model: Model,
    *,
    folder: Path,
    adapter: Path | None = None,
    environment: Mapping[str, str],
    stop: threading.Event | None = None,
    patience_s: float = 120.0,
) -> Iterator[Serving]:
    """Run `model.serve` on a free port of its own while the `with` lasts.

    `folder` is the project's: relative paths in the command are seen from there. Raises InputError (a `serve` that
    cannot be used, an adapter that is not there), ServerError (it does not do what it must) and WriteError.
    """
    root = folder.absolute()
    for left in reversed(range(_TRIES)):
        run = _Run(model, adapter, root, environment, stop, patience_s)
        with run.lasting():
            try:
                serving = run.start()
            except ServerError as problem:
                if problem.trouble != "foreign" or not left:
                    raise
                continue  # somebody took the port between choice and start
            yield serving
            return


class _Run:
    """One start of a server, from the choice of its port to its end."""

    def __init__(
        self,
        model: Model,
        adapter: Path | None,
        root: Path,
        environ: Mapping[str, str],
        stop: threading.Event | None,
        patience_s: float,
    ) -> None:
        self.name = model.name
        self.port = _free_port()
        self.command = command_of(model, port=self.port, adapter=adapter, root=root, environ=environ)
        self.mark = secrets.token_hex(8)
        self.folder = folder_of(root)
        self.log = self.folder / f"{_plain(model.name)}-{self.mark}.log"
        self.started = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        self._asked = _reached_at(model, self.command, self.port)
        self._adapter, self._root, self._environ = adapter, root, environ
        self._stop, self._patience_s = stop, patience_s
        self._child: subprocess.Popen[bytes] | None = None
        self._first: Process | None = None
        self._seen: set[tuple[int, str]] = set()
        self._alone = False
        self._clock = time.monotonic()

    # --- start ---

    def start(self) -> Serving:
        """Start it, and wait until it is ready and has answered the canary requests."""
        record = self._record()
        keep(self.folder, record)
        self._spawn()
        child, first = self._running()
        keep(self.folder, replace(record, server=first.identity))
        with closing(Talk(self._asked, self._environ, stop=self._stop)) as talk:
            self._await(talk)
            ready_s = time.monotonic() - self._clock
            canary = self._ask(talk)
        self.prove()
        return Serving(
            model=self._asked,
            base_url=str(self._asked.settings["base_url"]),
            port=self.port,
            pid=child.pid,
            group=first.group,
            command=self.command.words,
            log=self.log,
            started=self.started,
            ready_s=ready_s,
            canary=canary,
            adapter=self._adapter,
            _prove=self.prove,
        )

    def _record(self) -> Record:
        owner = process(os.getpid())
        return Record(
            mark=self.mark,
            model=self.name,
            port=self.port,
            command=shown(self.command.words),
            log=str(self.log),
            at=self.started,
            owner=owner.identity if owner else (os.getpid(), ""),
            where=here(),
        )

    def _spawn(self) -> None:
        prune_logs(self.folder)
        variables = {**environment_of(self.command, self._root, self._environ), MARK: self.mark}
        try:
            handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as problem:
            raise WriteError(f"cannot write {self.log}: {problem.strerror}", hint="make room") from problem
        try:
            self._child = subprocess.Popen(
                self.command.words,
                cwd=self._root,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as problem:
            said = str(getattr(problem, "strerror", None) or problem).lower()
            raise trouble("no_start", name=self.name, said=f"{self.command.program}: {said}") from problem
        finally:
            os.close(handle)

    def _running(self) -> tuple["subprocess.Popen[bytes]", Process]:
        """Its first process. Raises ServerError when that is gone already."""
        assert self._child is not None
        self._first = process(self._child.pid, ended=True)
        if self._first is None:
            raise self._died("died")
        self._seen.add(self._first.identity)
        return self._child, self._first

    def _await(self, talk: Talk) -> None:
        try:
            await_ready(self.name, self._listens, talk, patience_s=self._patience_s, stop=self._stop)
        except NotReadyError as problem:
            raise self._not_ready(problem) from problem
        except BackendError as problem:
            raise self._refusal(problem, talk) from problem

    def _not_ready(self, problem: NotReadyError) -> ServerError:
        elsewhere = [number for number in ports_of([one.pid for one in self._family()]) if number != self.port]
        if elsewhere and not owners(self.port):
            ports = " and ".join(map(str, elsewhere))
            return trouble("elsewhere", name=self.name, ports=ports, port=self.port)
        facts = {"patience_s": self._patience_s, "state": str(problem), "tail": self._tail(), "log": self.log}
        if not problem.ever:
            return trouble("broken", name=self.name, command=shown(self.command.words), **facts)
        return trouble("not_ready", name=self.name, **facts)

    def _ask(self, talk: Talk) -> tuple[CanaryAnswer, ...]:
        try:
            return ask_canaries(talk, timeout_s=self._patience_s)
        except BackendError as problem:
            self.prove()  # where it has died, that is the better message
            raise self._refusal(problem, talk) from problem

    def _refusal(self, problem: BackendError, talk: Talk) -> ServerError:
        """A server that is there and does not answer; where it has failed, its log says more than its answer."""
        if problem.fault == "stopped":
            return trouble("stopped", name=self.name)
        if talk.state() == "broken":
            return self._not_ready(NotReadyError("it says that it is unavailable", ever=False))
        facts = {"said": problem.message, "hint": problem.hint or "try it by hand", "tail": self._tail()}
        return trouble("refuses", name=self.name, log=self.log, **facts)

    # --- proof ---

    def prove(self) -> None:
        """What listens on the port is ours, and nothing else listens there. Raises ServerError."""
        if not self._look("died_later"):
            raise trouble("lost", name=self.name, port=self.port, tail=self._tail(), log=self.log)

    def _listens(self) -> bool:
        return self._look("died")

    def _look(self, death: str) -> bool:
        """Whether ours listens; raises ServerError when it has ended, or another one listens."""
        found = owners(self.port)
        ours = self._family()
        if not found and not ours and self._gone():
            raise self._died(death)
        if found is None:
            raise trouble("unprovable", name=self.name, port=self.port)
        pids = {one.pid for one in ours}
        foreign = [owner for owner in found if owner.pid not in pids]
        if foreign and (again := self._foreign(foreign)):
            self._alone = False
            raise trouble("foreign", name=self.name, port=self.port, owner=_listed(again))
        if not self._first_lives() and self._failed():
            raise self._died(death)
        self._alone = bool(found)
        return self._alone

    def _gone(self) -> bool:
        """Whether nothing is found a second time: a child of a launcher that has just ended slips through one look."""
        time.sleep(_AGAIN_S)
        return not self._family() and not owners(self.port)

    def _foreign(self, suspects: list[Owner]) -> list[Owner]:
        """Those that are really not ours: a child may have been started between the two looks."""
        pids = {one.pid for one in self._family()}
        now = owners(self.port) or ()
        return [owner for owner in suspects if owner.pid not in pids and owner in now]

    def _family(self) -> tuple[Process, ...]:
        root = None if self._first is None or self._buried() else self._first.identity
        found = family(root, self.mark, known=tuple(self._seen))
        self._seen |= {one.identity for one in found}
        return found

    def _buried(self) -> bool:
        """Whether the first process was waited for: from then on its number may be anybody's."""
        return self._child is None or self._child.returncode is not None

    def _first_lives(self) -> bool:
        now = process(self._first.pid) if self._first and not self._buried() else None
        return now is not None and self._first is not None and now.identity == self._first.identity

    def _failed(self) -> bool:
        """Whether its first process, which has ended, says that it failed; a launcher may end and leave the server."""
        return self._child is not None and self._child.wait() != 0

    def _died(self, death: str) -> ServerError:
        code = self._child.wait(_END_S) if self._child else None
        if death == "died" and _TAKEN.search(self._tail()):
            return trouble("foreign", name=self.name, port=self.port, owner="something that is gone by now")
        facts = {"how": _how(code), "tail": self._tail(), "log": self.log, "command": shown(self.command.words)}
        return trouble("died" if death == "died" else "died_later", name=self.name, **facts)

    def _tail(self) -> str:
        """The last lines that it said, for a message."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        printable = ("".join(c if c.isprintable() else " " for c in line).rstrip() for line in text.splitlines())
        lines = [line for line in printable if line and not _OWN.search(line)][-_TAIL_LINES:]
        return hide("".join(f"\n    {line}" for line in lines))

    # --- end ---

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Whatever happens inside, nothing of the server is left afterwards."""
        try:
            yield
        except BaseException as problem:
            try:
                self._end()
            except ServerError as left:  # what happened first says more, but this must be known, too
                problem.add_note(left.message)
            raise
        self._end()

    def _end(self) -> None:
        try:
            left = end(self._family, patience_s=_END_S)
        finally:
            if self._child is not None and not self._first_lives():
                self._child.wait(_END_S)
        if left:
            who = " and ".join(map(str, left))
            raise trouble("stays", name=self.name, who=who, are="is" if len(left) == 1 else "are")
        forget(self.folder, self.mark)
        limit = time.monotonic() + _FREE_S
        while self._alone and (still := owners(self.port)):
            if time.monotonic() > limit:
                raise trouble("port_stays", name=self.name, owner=_listed(still), port=self.port)
            time.sleep(0.05)


def _free_port() -> int:
    """A port that nobody has at the moment, on any address that reaches this machine."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as one:
            port = int(one.getsockname()[1])
        if not owners(port):
            return port


def _reached_at(model: Model, command: Command, port: int) -> Model:
    path = urlsplit(str(model.settings.get("base_url", ""))).path.rstrip("/") or "/v1"
    settings = {**model.settings, "base_url": f"http://127.0.0.1:{port}{path}", "model": command.model}
    return replace(model, settings=settings)


def _plain(name: str) -> str:
    """A name as a file may have it."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)[:60]


def _listed(found: "tuple[Owner, ...] | list[Owner]") -> str:
    return " and ".join(map(str, found))


def _how(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "it is gone"
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")
