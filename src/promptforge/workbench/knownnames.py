"""Every name that `redact` can know of a project: its facts, those of broken files, and those of earlier versions.

A bug report is mostly about a file that is broken, and other files speak of what it names. So what can be read of it
is read, and the names of the last build and of git's last commit are added. Where a file ends in the middle and neither
knows it, names are unknown: that is said, and nothing may be published.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from promptforge.compiler.acceptance import as_acceptance
from promptforge.compiler.builtin import BUILTIN, KEYS
from promptforge.compiler.link import link
from promptforge.compiler.load import Loaded, load, read_project
from promptforge.errors import InputError
from promptforge.files import CONFIG, YAML, Tree, read_revision
from promptforge.model import Table
from promptforge.redaction.broken import SAYS, chunks, names_in
from promptforge.redaction.names import Name
from promptforge.redaction.vocabulary import (
    kind_of_key,
    names_of,
    naming_columns,
    raw_names,
    reserved_words,
    vocabulary,
)
from promptforge.source import Diagnostic
from promptforge.workbench.forge import lock_path
from promptforge.yamlio import parse

__all__ = ["Known", "UnknownNamesError", "known_names"]


class UnknownNamesError(InputError):
    """A file that cannot be read may hold names that nobody knows."""

    exit_code = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a project's names."""

    tables: Mapping[str, Table]
    names: tuple[Name, ...]
    """Those that are in no table."""


class _Former(NamedTuple):
    """An earlier version: the files of knowledge that could be read in it, and the names in them."""

    files: frozenset[str]
    names: tuple[Name, ...]


def known_names(root: Path, also: tuple[str, ...]) -> Known:
    """The tables, as far as they can be read, and all further names.

    Raises UnknownNamesError for a file that is cut off and of which no earlier version is known.
    """
    tree = read_project(root)
    broken = {path: problem for path in tree.under("knowledge") if (problem := _problem(path, tree.files[path]))}
    loaded, found = load(_healed(tree, broken))
    project, more = link(loaded)
    tables = project.tables
    columns = naming_columns(tables, also)
    names = [
        name
        for path, one in loaded.knowledge.items()
        for name in raw_names(one.data, tables, columns, loose=path not in tree.files)
    ]
    names += _accepted(tree, loaded)
    for path in broken:
        names += _guessed(_text(tree.files[path]), tables, columns)
    unread = {one.file: one.message for one in tree.problems if one.file.startswith("knowledge/")}
    if broken or unread or any(one.severity == "error" for one in (*found, *more)):
        former = [*_built(root, tree, loaded, columns, tables), *_committed(root, also)]
        _refuse_unknown(tree, broken, unread, frozenset(file for one in former for file in one.files))
        names += [name for one in former for name in one.names]
    return Known(tables=tables, names=tuple(names))


def _problem(path: str, content: bytes) -> Diagnostic | None:
    document, problems = parse(path, content)
    return problems[0] if document is None and problems else None


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


def _healed(tree: Tree, broken: Mapping[str, Diagnostic]) -> Tree:
    """The project with each fact of a broken file that can be read in a file of its own."""
    files = {path: content for path, content in tree.files.items() if path not in broken}
    for path in broken:
        for number, chunk in enumerate(chunks(_text(tree.files[path]))):
            if chunk.good:
                files[f"{path.rpartition('.')[0]}~{number:06}.yaml"] = (chunk.head + chunk.text).encode()
    return replace(tree, files=dict(sorted(files.items())))


def _guessed(text: str, tables: Mapping[str, Table], columns: Mapping[tuple[str, str], str]) -> Iterator[Name]:
    known, naming = reserved_words(tables), {column for _, column in columns}
    for chunk in chunks(text):
        if not chunk.good:
            yield from names_in(chunk, tables, naming, known)


# ---- What is not known -----------------------------------------------------------------------------------------------


def _refuse_unknown(
    tree: Tree, broken: Mapping[str, Diagnostic], unread: Mapping[str, str], formerly: frozenset[str]
) -> None:
    for path, why in unread.items():
        if path.endswith(YAML) and path not in formerly:
            hint = "nothing was written; mend it, or move it out of the project"
            raise UnknownNamesError(f"{path} cannot be read ({why}), so nobody knows which names are in it", hint=hint)
    for path, problem in broken.items():
        if path in formerly:
            continue
        if line := _unknown_from(_text(tree.files[path])):
            message = (
                f"{path}:{line}: {problem.message}, and what cannot be read there may be names that are elsewhere, too"
            )
            hint = (
                "nothing was written; mend that line (promptforge check), or delete it and redact again; `promptforge"
            )
            hint += " build` or a git commit of the sound file would do, too: then its names are known"
            raise UnknownNamesError(message, hint=hint)


def _unknown_from(text: str) -> int:
    """The first line of a broken file that cannot be read alone, 0 where each table and fact can.

    A table of the user's own counts as unread: a fact that slipped to the left looks like one.
    """
    said = [one for one in chunks(text) if SAYS.search(one.text)]
    if not said:
        return 1
    tables = (*BUILTIN, "_defaults")
    torn = next((one for one in said if not (one.sure and one.good and one.table in tables)), None)
    return text.count("\n", 0, torn.start) + 1 if torn else 0


# ---- Earlier versions ------------------------------------------------------------------------------------------------


def _built(
    root: Path, tree: Tree, loaded: Loaded, columns: Mapping[tuple[str, str], str], tables: Mapping[str, Table]
) -> Iterator[_Former]:
    """The facts of the last build, as its lock keeps them."""
    output = loaded.config.data.get("output") if loaded.config else None
    path = root / output if isinstance(output, str) else root / "build/agent_prompts.yaml"
    with suppress(OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raw = json.loads(lock_path(path).read_bytes())
        facts: dict[str, list[Any]] = {}
        for id_, fact in raw["facts"].items():
            facts.setdefault(id_.partition("/")[0], []).append(fact[3])
        names = tuple(raw_names(facts, tables, columns))
        yield _Former(frozenset(file for file in raw["inputs"] if file.startswith("knowledge/")), names)


def _committed(root: Path, also: tuple[str, ...]) -> Iterator[_Former]:
    """The project as git's last commit has it."""
    with suppress(InputError, OSError):
        tree = read_revision(root, "HEAD")
        loaded, _ = load(tree)
        tables = link(loaded)[0].tables
        columns = naming_columns(tables, also)
        names = [name for one in loaded.knowledge.values() for name in raw_names(one.data, tables, columns)]
        yield _Former(frozenset(loaded.knowledge), (*vocabulary(tables, columns), *names, *_accepted(tree, loaded)))


# ---- Names that only an acceptance of drift knows --------------------------------------------------------------------

_ALLOWED = re.compile(r"promptforge: allow[ \t]+(drift\b[^\n]*)")
_IGNORED = re.compile(rf"(?<![\w/.-])({'|'.join(BUILTIN)})/([^\s\"',\]}}]+|[^\"'\n]+(?=[\"']))")


def _accepted(tree: Tree, loaded: Loaded) -> Iterator[Name]:
    """`ignore: {{drift: [devices/guest-pad]}}`, and what stands behind `promptforge: allow drift`."""
    settings = tree.files.get(CONFIG, b"").decode("utf-8", "replace")
    globs = [f"{found[1]}/{found[2]}" for found in _IGNORED.finditer(settings)]
    ignore = loaded.config.data.get("ignore") if loaded.config and isinstance(loaded.config.data, dict) else None
    drift = ignore.get("drift") if isinstance(ignore, dict) else None
    for glob in dict.fromkeys([*(one for one in drift or () if isinstance(one, str)), *globs]):
        table, slash, key = glob.partition("/")
        yield from _of_key(table, key) if slash else ()
    for path in tree.under("knowledge"):
        for said in _ALLOWED.findall(tree.files[path].decode("utf-8", "replace")):
            acceptance = as_acceptance(said)
            for column, value in acceptance.pins if acceptance else ():
                if kind := _PINNED.get(column):
                    yield from _of_key("entities", value) if kind == "entity" else names_of(kind, value, "")


_PINNED = {
    "name": "device",
    "host": "host",
    "site": "site",
    "owner": "person",
    "user": "user",
    "ssh": "alias",
    "alias": "alias",
    "codename": "codename",
    "entity_id": "entity",
}


def _of_key(table: str, key: str) -> Iterator[Name]:
    """A fact's key, perhaps with `*` for anything."""
    if len(KEYS.get(table, ())) > 1:  # ports/mini:9100
        table, key = "hosts", key.partition(":")[0]
    elif table == "entities":
        key = key.rpartition(".")[2]
    for part in re.split(r"[*?]|\[[^\]]*\]", key):
        if part.strip(" _.-"):
            yield from names_of(kind_of_key(table), part.strip(" _.-"), "")
