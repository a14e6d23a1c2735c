"""Golden folders: what `check` says of each project in cases/bad, and what each project in cases/ok compiles to.

A bad folder is named after the code that it is there for: `pf302-no-table`. Its `expected.txt` is what
`promptforge check` prints. In an ok folder `expected/` holds the artifact, and what was said and left out. To write the
expected files anew, set PROMPTFORGE_UPDATE=1, and then read every difference as a user would:

    PROMPTFORGE_UPDATE=1 python -m pytest tests/test_cases.py && git diff tests/cases
"""

import datetime
import json
import os
from importlib.resources import files
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from promptforge.artifact import prompts_text
from promptforge.cli.main import promptforge
from promptforge.compiler.build import Build, compile_project
from promptforge.compiler.load import read_project
from promptforge.console.diagnostics import as_text, counts
from promptforge.console.terminal import Painter
from promptforge.source import Code, codes
from promptforge.workbench.check import check

CASES = Path(__file__).parent / "cases"
BAD = sorted(path for path in (CASES / "bad").iterdir() if path.is_dir())
OK = sorted(path for path in (CASES / "ok").iterdir() if path.is_dir())
TODAY = datetime.date(2026, 11, 22)
UPDATE = os.environ.get("PROMPTFORGE_UPDATE") == "1"
MADE_BY_A_TEST = {"PF103", "PF104", "PF113", "PF114", "PF812"}
"""Codes of files that git or an editor would mend on the way, or that are large: test_bad_files.py makes them."""


def named(path: Path) -> str:
    return path.name


def compiled(folder: Path) -> Build:
    return compile_project(read_project(folder), today=TODAY, thorough=True)


def matches(expected: Path, text: str) -> bool:
    """Whether a golden file holds the text; with PROMPTFORGE_UPDATE=1 it does afterwards."""
    if UPDATE:
        expected.parent.mkdir(exist_ok=True)
        expected.write_bytes(text.encode("utf-8"))
    return expected.read_bytes().decode("utf-8") == text


@pytest.mark.parametrize("folder", BAD, ids=named)
def test_check_says_of_a_bad_project_exactly_what_is_expected(folder, capsys, monkeypatch):
    """Place, excerpt, caret, message and hint of every diagnostic; PROMPTFORGE_UPDATE=1 rewrites expected.txt."""
    monkeypatch.setattr("promptforge.cli.prompts.today", lambda: TODAY)
    exit_code = promptforge.main(["-C", str(folder), "check"], standalone_mode=False)
    printed = capsys.readouterr().out
    assert matches(folder / "expected.txt", printed), printed

    checked = check(read_project(folder), today=TODAY)
    found = checked.diagnostics
    text = as_text(found, checked.build.source_line, Painter(colour=False))
    assert printed.startswith(f"{text}\n{counts(found)} in ")
    assert exit_code == (1 if checked.errors else 0)
    assert folder.name.split("-")[0].upper() in {d.code for d in found}


@pytest.mark.parametrize("folder", OK, ids=named)
def test_a_good_project_compiles_to_exactly_what_is_expected(folder):
    """The artifact byte for byte, and all that was said or left out; PROMPTFORGE_UPDATE=1 rewrites expected/."""
    build = compiled(folder)
    assert not build.errors, as_text(build.errors, build.source_line, Painter(colour=False))
    text = prompts_text(build.artifact)
    assert matches(folder / "expected" / "agent_prompts.yaml", text), text
    said = as_text(build.diagnostics, build.source_line, Painter(colour=False)).splitlines()
    for name, entry in build.artifact.entries.items():
        said += [f"{name}: left out {cut.what} ({cut.why}: {cut.note})" for cut in entry.enriched.cuts]
    assert matches(folder / "expected" / "said.txt", "".join(f"{line}\n" for line in said)), said


@pytest.mark.parametrize("folder", OK, ids=named)
def test_the_schema_for_editors_accepts_what_the_compiler_accepts(folder):
    """Every knowledge file of a good project is valid against knowledge.schema.json."""
    text = (files("promptforge") / "data" / "schemas" / "knowledge.schema.json").read_text(encoding="utf-8")
    validator = Draft7Validator(json.loads(text))
    for path, document in compiled(folder).documents.items():
        if path.startswith("knowledge/"):
            assert [problem.message for problem in validator.iter_errors(document.data)] == []


def test_every_code_has_a_folder():
    """No code without a project that shows it."""
    shown = {folder.name.split("-")[0].upper() for folder in BAD}
    assert shown | MADE_BY_A_TEST == set(codes())
    made = Path(__file__).with_name("test_bad_files.py").read_text(encoding="utf-8")
    assert [code for code in sorted(MADE_BY_A_TEST) if code not in made] == []


@pytest.mark.parametrize("code", codes().values(), ids=lambda code: code.code)
def test_every_code_has_a_page(code: Code):
    """What it is, why it is bad, an example, and how to mend it."""
    for text in (code.what, code.why, code.mend):
        assert text[0].isupper() or text[0] == "`"
        assert text.endswith(".")
    assert code.example.strip()
    assert not code.title.endswith(".")
