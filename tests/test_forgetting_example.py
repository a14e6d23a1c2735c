"""examples/forgetting without a server and a trainer: its files are sound, and its recipes are what its story says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "forgetting"
LIMIT_S = 120


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with a link to the model, as its driver makes one."""
    folder = tmp_path_factory.mktemp("forgetting") / "project"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("build", "__pycache__", ".promptforge"))
    (folder / "model").symlink_to(ROOT / "tests" / "tiny-model", target_is_directory=True)
    return folder


def promptforge(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "promptforge", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def test_its_files_are_sound(project):
    """Nothing but the note on near twins, which are there on purpose."""
    done = promptforge(project, "check")
    assert done.returncode == 0, done.stdout
    assert "0 examples, 109 cases" in done.stdout
    assert "warning" not in done.stdout


@pytest.mark.parametrize(
    ("recipe", "verdict", "rule"),
    [
        ("persona-64", "flagged", "kind.identity.most"),
        ("persona-16", "flagged", "kind.identity.most"),
        ("balanced", "fine", ""),
        ("no-refusals", "refused", "kind.jailbreak.none"),
    ],
)
def test_the_audit_says_of_its_recipes_what_the_story_says(project, recipe, verdict, rule):
    """All have the 200 rows that they ask for, and no row gives a case away."""
    done = promptforge(project, "dataset", "build", recipe, "--output", f"build/{recipe}", "--format", "json")
    told = json.loads(done.stdout)
    found = {one["rule"] for one in told["audit"]["findings"] if one["level"] in ("flag", "refuse")}
    assert (told["rows"], told["audit"]["verdict"]) == (200, verdict)
    assert rule in found or not found
    assert not [one for one in found if one.startswith("contamination")]
    assert done.returncode == (1 if verdict == "refused" else 0)


def test_the_two_personas_differ_in_their_rank_alone(project):
    """So what comes out differently comes of it."""
    files = [(project / "training" / f"persona-{rank}.yaml").read_text(encoding="utf-8") for rank in (64, 16)]
    keys = [[line for line in text.splitlines() if not line.startswith(("#", "recipe:"))] for text in files]
    assert [line.replace("rank: 64", "rank: 16") for line in keys[0]] == keys[1]
