"""Random projects, sound and broken, and a search of their copies that knows nothing of how they were made."""

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st
from tests.strategies import facts_of, projects, tree_of, tries

from promptforge.errors import InputError
from promptforge.workbench.knownnames import UnknownNamesError
from promptforge.workbench.redact import Wishes, redact_project
from promptforge.yamlio import parse

NAMES = {
    "sites": ("name",),
    "hosts": ("name", "site"),
    "ports": ("codename", "host"),
    "people": ("name",),
    "devices": ("name", "owner", "site"),
    "entities": ("name", "entity_id"),
}
NUMBERS = ("lan_ip", "mac", "tailscale_ip", "ip", "subnet")
WORDS_OF_THE_FORMAT = {"null", "true", "false", "off", "on", "yes", "no", "item", "heading", "code", "at", "bang"}


def originals(spec) -> set[str]:
    """Each name, address and MAC of a project in small letters, taken from its data with nothing of promptforge."""
    found = set()
    for table, fact in facts_of(spec):
        values = [fact.get(column) for column in NAMES.get(table, ())] + [fact.get(column) for column in NUMBERS]
        for value in values:
            text = str(value).lower().rpartition(".")[2] if table == "entities" else str(value).lower()
            if value is not None and re.fullmatch(r"[a-z][a-z0-9' ]+|[0-9.]{7,}|[0-9a-f:-]{17}", text):
                found |= {text, *re.findall(r"^[a-z]{2,}(?='s )", text)}
    return found - WORDS_OF_THE_FORMAT


def left_in(folder: Path, wanted: set[str]) -> list[str]:
    """Which of them stand somewhere in a folder's files or file names."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "REDACTED.md"]
    text = "\n".join(f"{path.relative_to(folder)}\n{path.read_bytes().decode()}" for path in files).lower()
    return [one for one in sorted(wanted) if re.search(rf"(?<![a-z0-9]){re.escape(one)}(?![a-z0-9])", text)]


def lay(spec, root: Path) -> Path:
    """The project on the disk."""
    shutil.rmtree(root, ignore_errors=True)
    for path, content in tree_of(spec).files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples; each clears what it uses."""
    return tmp_path_factory.mktemp("left")


@given(spec=projects(tight=False))
@tries(60)
def test_nothing_of_a_sound_project_is_left(folder, spec):
    """Names, addresses and MACs, in any case, in files and their names."""
    root, copy = lay(spec, folder / "house"), folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    if refused := refusal(root, copy):
        # The last look may take an escape and what follows it for an address (`\U000238DDq@S`), and nothing else.
        named = re.findall(r"[\w./-]+\.ya?ml(?=:\d)", refused)
        assert named, refused
        assert all("\\" in (root / one).read_text() for one in named), refused
        assert not copy.exists()
        return
    assert left_in(copy, originals(spec)) == []


BREAKS = ("cut", "twice", "table twice", "tab", "bracket", "indent", "outdent", "quote", "appended", "colon")


@st.composite
def breaks(draw, text: str) -> str:
    """A file with a slip somewhere."""
    kind = draw(st.sampled_from(BREAKS))
    lines = text.splitlines(keepends=True)
    at = draw(st.integers(0, len(lines) - 1))
    line, body = lines[at], lines[at].lstrip()
    place = draw(st.integers(0, max(0, len(text) - 1)))
    note(f"{kind} at line {at + 1} or sign {place}")
    if kind == "cut":
        return text[:place]
    if kind == "bracket":
        return text[:place] + draw(st.sampled_from("[{]}")) + text[place:]
    if kind == "quote":
        return text[:place] + draw(st.sampled_from("\"'`")) + text[place:]
    if kind == "appended":
        return text + draw(st.sampled_from(["  - {broken\n", "  x: [\n", "\t\n- ]\n", "hosts: {\n", "  : :\n"]))
    if kind == "table twice":
        heads = [one for one in lines if re.match(r"[a-z]+:\s*$", one)]
        return text + draw(st.sampled_from(heads or ["hosts:\n"])) + "  another: {}\n"
    changed = {
        "twice": [line, line],
        "tab": ["\t" + body],
        "indent": [" " * draw(st.integers(1, 5)) + line],
        "outdent": [line[draw(st.integers(0, 3)) :] if line.startswith("    ") else body],
        "colon": [line.replace(":", "", 1)],
    }[kind]
    return "".join([*lines[:at], *changed, *lines[at + 1 :]])


def refusal(root: Path, copy: Path) -> str:
    """What is said where there is no copy."""
    try:
        redact_project(root, copy, Wishes())
    except UnknownNamesError as problem:
        return problem.message
    except InputError as problem:  # the last look found one
        if "would be left" not in problem.message:
            raise
        return problem.message
    return ""


@given(data=st.data(), spec=projects(tight=False))
@settings(tries(100), suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_nothing_of_a_broken_project_is_left(folder, data, spec):
    """However one of its files of knowledge is broken: it is refused, or a name of the sound file is nowhere."""
    root, copy = lay(spec, folder / "house"), folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    file = data.draw(st.sampled_from(sorted(path for path in root.glob("knowledge/*.y*ml"))))
    sound = file.read_bytes().decode()
    broken = data.draw(breaks(sound))
    assume(parse("x.yaml", broken.encode())[0] is None)
    note(f"--- sound\n{sound}\n--- broken\n{broken}")
    file.write_bytes(broken.encode())
    refused = refusal(root, copy)
    if refused:
        assert not copy.exists()
        return
    for path in sorted(copy.rglob("*")):
        note(f"--- {path}\n{path.read_bytes().decode() if path.is_file() else ''}")
    assert left_in(copy, originals(spec)) == []
