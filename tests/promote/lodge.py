"""A lodge with a suite of sixty numbers, a model that is a real server, and adapters that know more or less of them."""

import json
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
CASES = 60
BASE = range(0, CASES, 2)
"""What the untrained model knows."""
TIERS = ("gold", "extended", "heldout")
CATEGORIES = ("topology", "family", "jailbreak")


def suite() -> str:
    """Sixty cases, in three categories and three tiers."""
    lines = [f"suite: numbers\ncategories: [{', '.join(CATEGORIES)}]\ncases:\n"]
    for number in range(CASES):
        lines.append(
            f"  - {{id: n{number:02}, category: {CATEGORIES[number // 2 % 3]}, tier: {TIERS[number // 6 % 3]},"
            f" agents: [warden], ask: 'What is the word of number {number}?', expect: {{all: [word-{number}]}}}}\n"
        )
    return "".join(lines)


def lodge(root: Path, *, settings: str = "") -> Path:
    """The project's folder, with the server's program beside it."""
    (root / "server").mkdir(parents=True)
    shutil.copy(HERE / "model_server.py", root / "server" / "model_server.py")
    skill(root / "server", "nobody", BASE)
    serve = f"{sys.executable} server/model_server.py --port {{port}} [--adapter {{adapter}}]"
    write(
        root / "promptforge.yaml",
        f"name: lodge\nbudget: 1000\nmodels:\n  tiny:\n    backend: compatible\n    base_url: http://127.0.0.1:9/v1\n"
        f"    model: tiny\n    tier: local\n    context: 4096\n    params: {{temperature: 0}}\n    serve: {serve}\n{settings}",
    )
    write(root / "knowledge/house.yaml", "hosts:\n  mini: {role: hub}\n")
    write(root / "agents/warden.yaml", "name: warden\nmodel: tiny\npersona: You are the warden.\n")
    write(root / "suites/numbers.yaml", suite())
    return root


def write(path: Path, text: str) -> None:
    """Write a file, and the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def skill(folder: Path, name: str, knows: Iterable[int], **more: object) -> None:
    """What a model, or an adapter of it, knows."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "skill.json", json.dumps({"name": name, "knows": sorted(knows), **more}))


def adapter(root: Path, name: str, knows: Iterable[int], *, place: str = "build/adapters", **manifest: object) -> Path:
    """An adapter as `train` leaves it."""
    folder = root / place / name
    skill(folder, name, knows)
    write(folder / "adapters.safetensors", f"weights of {name}")
    told = {"model": "tiny", "recipe": "words", "system": "enriched", "agents": ["warden"], "seed": 7, **manifest}
    write(folder / "adapter.json", json.dumps(told))
    return folder


def asked(root: Path) -> list[str]:
    """The questions of the suite that reached a server, with who answered."""
    log = root / "server" / "asked.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in lines if "number" in line]
