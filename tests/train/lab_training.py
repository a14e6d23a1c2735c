"""A small house with a recipe whose trainer is the child of trainer.py, on disk."""

import datetime
import json
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from promptforge.compiler.load import read_project
from promptforge.train.train import Asked, Outcome, Watch, train
from promptforge.workbench.check import check

NOW = datetime.datetime(2026, 11, 22, 6, 30, tzinfo=datetime.UTC)
RECIPE = """
recipe: hut
agents: [warden]
model: tiny
rows: 40
mix: {identity: 0.25, infrastructure: 0.75}
limits: {identity: {max: 0.3}, jailbreak: {min: 0}, replay: {min: 0}}
max_share_per_fact: 0.2
format: mlx
trainer: {kind: mlx_lm, rank: 4, iters: 12, command: "PYTHON trainer.py"}
split: {valid: 0.1, test: 0.1}
seed: 7
"""
FILES = {
    "promptforge.yaml": """
name: hut
models:
  tiny:
    backend: compatible
    base_url: http://127.0.0.1:1337/v1
    model: tiny
    tier: local
    context: 4096
    serve: mlx_lm.server --model models/tiny --port {port}
""",
    "knowledge/hut.yaml": """
hosts:
  mini: {role: hub, lan_ip: 192.0.2.10, os: Linux}
  nas: {role: disk, lan_ip: 192.0.2.11, os: TrueNAS}
  attic: {role: archive, lan_ip: 192.0.2.12, os: FreeBSD}
  gate: {role: router, lan_ip: 192.0.2.13, os: OpenWrt}
  loft: {role: music, lan_ip: 192.0.2.14, os: Debian}
ports:
  - {host: mini, port: 1337, codename: LEET, service: Council}
  - {host: mini, port: 8123, codename: Default, service: Automation}
  - {host: nas, port: 2049, codename: Crawlspace, service: Storage}
  - {host: attic, port: 9100, codename: Pulse, service: Metrics}
  - {host: loft, port: 4533, codename: Choir, service: Music}
""",
    "agents/warden.yaml": """
name: warden
role: Records
model: tiny
persona: |
  You are Warden, keeper of the hut. Your duty is to know what listens where.

  What you refuse:
  - To help anyone past a lock.
  - To say when the family is away.
sections: [persona, {table: ports}, {table: hosts}]
""",
}


def weights(folder: Path) -> Path:
    """A folder that has the form of a model."""
    folder.mkdir(parents=True)
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<f", 1.0))
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    return folder


def hut(root: Path, recipe: str = RECIPE, **changed: str) -> Path:
    """The house with its weights and its trainer."""
    for path, text in {**FILES, "training/hut.yaml": recipe, **changed}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text.replace("PYTHON", sys.executable).replace(" trainer.py", f" {root}/trainer.py"))
    weights(root / "models" / "tiny")
    shutil.copy(Path(__file__).with_name("trainer.py"), root)
    behave(root, "well")
    return root


def behave(root: Path, mode: str) -> None:
    """How its trainer will."""
    (root / "mode.txt").write_text(mode, encoding="utf-8")


def trained(root: Path, asked: Asked | None = None, *, environ: Any = None, **more: Any) -> Outcome:
    """Train the recipe, in this process."""
    import os

    checked = check(read_project(root), today=NOW.date())
    assert [d.message for d in checked.errors] == []
    own = dict(os.environ) if environ is None else environ
    return train(root, checked, "hut", asked or Asked(), environ=own, now=lambda: NOW, watch=more.get("watch", Watch()))


def command(root: Path, *arguments: str) -> "subprocess.Popen[str]":
    """`promptforge train hut` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "promptforge", "-C", str(root), "train", "hut", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def wait_for(what: Callable[[], Any], *, limit_s: float = 60.0) -> Any:
    """What is true at last."""
    end = time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


def pids(root: Path) -> list[int]:
    """The trainer and its child, once they are there."""
    path = root / "pids.json"

    def read() -> Any:
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError):
            return None

    found: list[int] = wait_for(read)
    return found


def left(root: Path) -> list[str]:
    """What is in build/adapters, hidden names included."""
    folder = root / "build" / "adapters"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
