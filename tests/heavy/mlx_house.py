"""A real model server and a small house for the heavy tests: mlx_lm.server with the tiny model, on a free port."""

import http.client
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from promptforge.model import Model
from servers import free_port

HERE = Path(__file__).parent
TINY = HERE.parent / "tiny-model"
READY_S, STOPPED_S = 90, 20


@dataclass(kw_only=True)
class MlxServer:
    """One mlx_lm.server; it may be killed and started again on the same port."""

    home: Path
    port: int = field(default_factory=free_port)
    log: list[str] = field(default_factory=list)
    _process: "subprocess.Popen[str] | None" = None
    _reader: threading.Thread | None = None
    _on_line: Callable[[str], None] | None = None

    @property
    def base_url(self) -> str:
        """As in promptforge.yaml."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start it, and wait until /health says that it is ready.

        /v1/models is no sign: it answers with an empty body where the cache has no hub folder.
        """
        (self.home / "hub").mkdir(parents=True, exist_ok=True)
        told = {"HF_HOME": str(self.home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self._process = subprocess.Popen(
            [_python(), "-m", "mlx_lm", "server", "--model", str(TINY), "--port", str(self.port)],
            env={**os.environ, **told},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        limit = time.monotonic() + READY_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > limit:
                self.stop()
                pytest.fail("mlx_lm.server did not start:\n" + "\n".join(self.log[-20:]))
            time.sleep(0.1)

    def stop(self) -> None:
        """Kill it, if it runs. Nothing of its state is worth a farewell."""
        if self._process is not None and self._reader is not None:
            self._process.kill()
            self._process.wait(STOPPED_S)
            self._reader.join(STOPPED_S)
            if self._process.stderr is not None:
                self._process.stderr.close()
            self._process = None

    def kill_after(self, requests: int) -> None:
        """Kill it as soon as it has taken so many more chats."""
        left = requests

        def count(line: str) -> None:
            nonlocal left
            left -= "POST /v1/chat/completions" in line
            if left == 0 and self._process is not None:
                self._process.kill()
                self._on_line = None

        self._on_line = count

    def chats(self) -> int:
        """How many chats it was asked for so far."""
        return sum("POST /v1/chat/completions" in line for line in self.log)

    def _read(self) -> None:
        stream = self._process.stderr if self._process is not None else None
        for line in stream or ():
            self.log.append(line.rstrip())
            if self._on_line is not None:
                self._on_line(line)

    def _is_ready(self) -> bool:
        asked = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            asked.request("GET", "/health")
            return asked.getresponse().status == 200
        except OSError:
            return False
        finally:
            asked.close()


def _python() -> str:
    found = os.environ.get("PROMPTFORGE_HEAVY_PYTHON", "")
    if not found:
        pytest.fail("PROMPTFORGE_HEAVY_PYTHON names no Python with mlx-lm; `make test-heavy` makes one and names it")
    return found


def model_at(base_url: str, name: str = "default_model") -> Model:
    """The tiny model as an entry of promptforge.yaml."""
    settings = {"backend": "compatible", "base_url": base_url, "model": name}
    return Model(name="tiny", backend="compatible", tier="local", settings=settings)


def lodge_at(base_url: str, folder: Path) -> Path:
    """A copy of the lodge whose model is at that address."""
    shutil.copytree(HERE / "project", folder)
    path = folder / "promptforge.yaml"
    told = path.read_text(encoding="utf-8").replace("http://127.0.0.1:1337/v1", base_url)
    path.write_text(told.replace("hf:tests/tiny-model", f"hf:{TINY}"), encoding="utf-8")
    return folder


@dataclass(frozen=True, kw_only=True)
class Done:
    """A finished command."""

    code: int
    out: str
    err: str


def promptforge(folder: Path, *arguments: str) -> Done:
    """Run a command there, as a user does."""
    command = [sys.executable, "-m", "promptforge", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    return Done(code=done.returncode, out=done.stdout, err=done.stderr)
