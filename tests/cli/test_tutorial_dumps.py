"""The tutorial, typed as it is written: each command in a fresh folder, each answer held against what the page shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/tutorial.md"
IDENTITY = {
    "GIT_AUTHOR_NAME": "Nora",
    "GIT_AUTHOR_EMAIL": "nora@example.org",
    "GIT_COMMITTER_NAME": "Nora",
    "GIT_COMMITTER_EMAIL": "nora@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PASSING = [(re.compile(r"\d{4}-\d\d-\d\d"), "DAY"), (re.compile(r"\d{8}T\d{6}-[0-9a-f]{4}"), "RUN")]


def plain(line):
    """A line without what is another one each time."""
    for pattern, word in PASSING:
        line = pattern.sub(word, line)
    return line.rstrip()


def steps():
    """(command, its answer as shown) and (file, what is written at its end), in order."""
    for kind, body in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "yaml":
            first, _, rest = body.partition("\n")
            yield "write", first.removeprefix("# at the end of "), rest
            continue
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            yield "type", command, shown


def fits(shown, said):
    """Whether lines are as shown; `…` stands for any number of them."""
    if not shown:
        return not said
    if shown[0] == "…":
        return any(fits(shown[1:], said[at:]) for at in range(len(said) + 1))
    return bool(said) and said[0] == shown[0] and fits(shown[1:], said[1:])


def typed(command, folder, environ):
    """What a command prints on a terminal, and the folder that it leaves the shell in."""
    script = f'{command}\necho "at $PWD"'
    done = subprocess.run(
        ["sh", "-c", f"exec 2>&1\n{script}"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    *lines, place = done.stdout.splitlines()
    return lines, Path(place.removeprefix("at "))


def test_the_tutorial_as_it_is_typed(tmp_path):
    """From a clone to the second week, with nothing but what the page says."""
    folder = tmp_path / "promptforge"
    folder.mkdir()
    (folder / "examples").symlink_to(REPOSITORY / "examples")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/promptforge"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m promptforge "$@"\n')
    program.chmod(0o755)
    environ = {**os.environ, **IDENTITY, "PATH": f"{program.parent}:{os.environ['PATH']}", "COLUMNS": "200"}
    environ.pop("PYTHONPATH", None)
    count = 0
    for kind, what, text in steps():
        if kind == "write":
            path = folder / what
            path.write_text(path.read_text() + text)
            continue
        said, folder = typed(what, folder, environ)
        shown = [plain(line) for line in text.splitlines()]
        assert fits(shown, [plain(line) for line in said]), f"$ {what}\n" + "\n".join(said)
        count += 1
    assert count >= 20
    kept = subprocess.run(["git", "ls-files"], cwd=folder, env=environ, capture_output=True, text=True, check=True)
    assert "knowledge/house.yaml" in kept.stdout
    assert "dumps/" not in kept.stdout


def test_every_dump_of_the_page_is_there():
    """And each is recognised as what the page takes it for."""
    from promptforge.sources.all import guess

    for name, file in re.findall(r"import (\w+) (dumps/\S+)", PAGE.read_text(encoding="utf-8")):
        assert guess(REPOSITORY / "examples" / file) == name
