"""Real servers with the tiny model, and what is asked of them.

Where each one is, environment variables say; `tools/servers.sh` sets the servers up and writes these variables down.
"""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from promptforge.backends.anthropic import Anthropic
from promptforge.backends.base import Request
from promptforge.backends.compatible import Compatible
from promptforge.backends.openai import OpenAI
from promptforge.model import Model

READY_S = 120
CONTEXT = 2048


@dataclass(frozen=True)
class Running:
    """A server while it runs."""

    url: str


def setting(name: str) -> str:
    """Where something is, as tools/servers.sh says."""
    found = os.environ.get(name)
    if not found:
        pytest.fail(f"{name} is not set: run the tests by `make test-servers`")
    return found


@contextmanager
def running(*command: str, port: int, ready: str, log: Path, **environment: str) -> Iterator[Running]:
    """Start a server that this test owns, wait until `ready` answers, and stop it in the end."""
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=variables)
        try:
            _wait(process, url + ready, log)
            yield Running(url)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")


# --- What is asked ----------------------------------------------------------------------------------------------------

SYSTEM = "You are Windu. Security.\n"
CAPITAL = Request(
    system=SYSTEM,
    messages=(("user", "What is the capital of France?"),),
    params={"temperature": 0, "max_tokens": 24},
)
TOO_LONG = Request(system="one two three " * 3000, messages=(("user", "Who are you?"),), params={"max_tokens": 8})
WAIT_S = 60


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def compatible(url: str, model: str = "tiny") -> Compatible:
    return Compatible(_model("compatible", f"{url}/v1", model), os.environ)


def openai(url: str) -> OpenAI:
    return OpenAI(_model("openai", f"{url}/v1", "tiny"), os.environ)


def anthropic(url: str) -> Anthropic:
    return Anthropic(_model("anthropic", url, "tiny"), os.environ)


def _model(backend: str, base_url: str, model: str) -> Model:
    settings = {"backend": backend, "base_url": base_url, "model": model, "tier": "local"}
    return Model(name="tiny", backend=backend, tier="local", settings=settings)
