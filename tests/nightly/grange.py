"""A grange whose nights are short: a model that is a real server, a trainer that hands out what it is told to.

`lesson.json` says what the next training teaches; `python server.py` answers by what its adapter was taught.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CASES = 48
BASE = range(0, CASES, 2)
BETTER = tuple(sorted({*BASE, *range(1, 40)}))
WORSE = tuple(range(0, 12, 2))
ALIKE = tuple(sorted({*BASE, 1, 3} - {0, 2}))
TIERS = ("gold", "extended", "heldout")

_RECIPE = """
recipe: words
agents: [warden]
model: tiny
rows: 40
mix: {identity: 0.25, infrastructure: 0.75}
limits: {identity: {max: 0.3}, jailbreak: {min: 0}, replay: {min: 0}}
max_share_per_fact: 0.2
format: mlx
trainer: {kind: mlx_lm, rank: 4, iters: 12, command: "PYTHON ROOT/trainer.py"}
split: {valid: 0.1, test: 0.1}
seed: 7
"""
_CONFIG = """
name: grange
models:
  tiny:
    backend: compatible
    base_url: http://127.0.0.1:9/v1
    model: tiny
    tier: local
    context: 4096
    params: {temperature: 0}
    weights: models/tiny
    serve: PYTHON ROOT/server.py --port {port} [--adapter {adapter}]
"""
_KNOWLEDGE = """
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
"""
_AGENT = """
name: warden
role: Records
model: tiny
persona: |
  You are Warden, keeper of the grange. Your duty is to know what listens where.

  What you refuse:
  - To help anyone past a lock.
  - To say when the family is away.
sections: [persona, {table: ports}, {table: hosts}]
"""


def grange(root: Path, *, settings: str = "") -> Path:
    """The project's folder, its first lesson a good one."""
    cases = "".join(
        f"  - {{id: n{n:02}, category: {('words', 'names')[n // 2 % 2]}, tier: {TIERS[n // 4 % 3]}, agents: [warden],"
        f" ask: 'What is the word of number {n}?', expect: {{all: [word-{n}]}}}}\n"
        for n in range(CASES)
    )
    files = {
        "promptforge.yaml": _CONFIG + settings,
        "knowledge/house.yaml": _KNOWLEDGE,
        "agents/warden.yaml": _AGENT,
        "training/words.yaml": _RECIPE,
        "suites/numbers.yaml": f"suite: numbers\ncategories: [words, names]\ncases:\n{cases}",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text.replace("PYTHON", sys.executable).replace("ROOT", str(root)), encoding="utf-8")
    folder = root / "models" / "tiny"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(tensors(1.0))
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    for program in ("server.py", "trainer.py"):
        shutil.copy(HERE / program, root)
    (root / "skill.json").write_text(json.dumps({"name": "nobody", "knows": list(BASE)}))
    lesson(root, BETTER)
    return root


def tensors(value: float) -> bytes:
    """A file of weights with one number."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<f", value)


def lesson(root: Path, knows: Iterable[int], **more: Any) -> None:
    """What the next training teaches, and how it goes."""
    (root / "lesson.json").write_text(json.dumps({"name": "pupil", "knows": sorted(knows), **more}))


def another_recipe(root: Path) -> None:
    """Change what is trained, so that the next night is another one."""
    place = root / "training" / "words.yaml"
    text = place.read_text()
    seed = int(text.rpartition("seed: ")[2])
    place.write_text(text.replace(f"seed: {seed}", f"seed: {seed + 1}"))


def start(root: Path, *words: str, **environ: str) -> "subprocess.Popen[str]":
    """`promptforge nightly` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "promptforge", "-C", str(root), "nightly", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environ},
    )


def nightly(root: Path, *words: str) -> tuple[int, str, str]:
    """Its exit code, and what it said on both streams."""
    with start(root, *words) as process:
        out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def log(root: Path, name: str) -> list[str]:
    """What the trainer or the servers wrote down."""
    place = root / f"{name}.log"
    return place.read_text().splitlines() if place.exists() else []
