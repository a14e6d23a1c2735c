"""Dumps written for the tests, in every form and version that is read, and what is seen in each.

A folder is a case: the part of its name before the first `-` is the source; `options.json` holds options and, where
their order counts, the files; `expected.txt` is what is seen, or the complaint. PROMPTFORGE_UPDATE=1 writes it anew.
"""

import contextlib
import json
import os
from pathlib import Path

import pytest

from promptforge.sources.all import SOURCES, guess
from promptforge.sources.base import Observation, SourceError

CASES = sorted(path for path in (Path(__file__).parent / "cases").iterdir() if path.is_dir())
OTHERS = {"expected.txt", "options.json"}


def read(case: Path) -> Observation:
    """The observation of a case, in its folder: places show a path as it is typed."""
    said = json.loads((case / "options.json").read_text()) if (case / "options.json").exists() else {}
    names = said.pop("files", None) or sorted(path.name for path in case.iterdir() if path.name not in OTHERS)
    with contextlib.chdir(case):
        return SOURCES[case.name.partition("-")[0]].read([Path(name) for name in names], options=said)


def written(made: Observation) -> str:
    """An observation, a line for each thing in it."""
    lines = [f"{made.source} of {', '.join(made.files)}" + (f", {made.at}" if made.at else "")]
    for seen in made.seen:
        lines.append(f"{seen.table}/{seen.key} {json.dumps(dict(seen.values), ensure_ascii=False)}  @ {seen.place}")
        lines.extend(f"    is {kind} {value}" for kind, value in seen.identity)
        lines.extend(f"    perhaps {column}: {value}" for column, value in seen.guesses.items())
        lines.extend(f"    cleaned {words}" for words in seen.cleaned)
        lines.extend([f"    noise: {seen.noise}"] if seen.noise else [])
    for table in sorted(made.whole):
        within = {column: sorted(values) for column, values in made.within.get(table, {}).items()}
        lines.append(f"whole: {table}" + (f" within {json.dumps(within)}" if within else ""))
    lines.extend(f"note: {words}" for words in made.notes)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_dump_is_read_as_expected(case):
    """What a reader sees in a dump, or says of it."""
    try:
        found = written(read(case))
    except SourceError as problem:
        found = f"{problem.message}\nhint: {problem.hint}\n"
    if os.environ.get("PROMPTFORGE_UPDATE"):
        (case / "expected.txt").write_text(found, encoding="utf-8")
    assert found == (case / "expected.txt").read_text(encoding="utf-8")


def good_dumps():
    """Every dump that is read, with the source that reads it."""
    for case in CASES:
        expected = (case / "expected.txt").read_text(encoding="utf-8") if (case / "expected.txt").exists() else ""
        source = case.name.partition("-")[0]
        if "\nhint: " not in expected and source != "table":
            for path in sorted(case.iterdir()):
                if path.is_file() and path.name not in OTHERS:
                    yield pytest.param(path, source, id=f"{case.name}/{path.name}")


@pytest.mark.parametrize(("path", "source"), list(good_dumps()))
def test_a_dump_is_recognised(path, source):
    """Which source a file is for can be told from its beginning."""
    assert guess(path) == source


@pytest.mark.parametrize(("path", "source"), list(good_dumps()))
def test_another_tools_dump_is_named(path, source):
    """Every other source says what it expected, and what it was given."""
    for name, other in SOURCES.items():
        if name in (source, "table"):
            continue
        with pytest.raises(SourceError) as caught:
            other.read([path], options={"host": "mini"})
        assert "expected" in caught.value.message
        assert f"(source: {source})" in caught.value.message
        assert "make it with: " in caught.value.hint
