"""The first stage: a project's files to documents of the right shape. What is broken is said and left out."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from promptforge.compiler.builtin import BUILTIN
from promptforge.document import Document
from promptforge.document import Path as Steps
from promptforge.errors import NoProjectError
from promptforge.files import CONFIG, DEFAULT_FILE_MB, YAML, Problem, Tree, read_file, read_folder
from promptforge.model import Text
from promptforge.schema import builtin_schema, check_shape
from promptforge.source import Diagnostic, Span
from promptforge.yamlio import parse

__all__ = ["Loaded", "Parse", "load", "read_project"]

Parse = Callable[[str, bytes], tuple[Document | None, tuple[Diagnostic, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Documents by kind, in file-name order; those of a wrong shape are not among them."""

    config: Document | None
    knowledge: Mapping[str, Document]
    agents: Mapping[str, Document]
    fewshot: Mapping[str, Document]
    schemas: Mapping[str, bytes]
    """By table."""
    templates: Mapping[str, Text]
    """By path below agents/templates."""
    documents: Mapping[str, Document]
    """All that could be parsed, those of a wrong shape included."""
    broken: frozenset[str] = frozenset()
    """Files that could not be read, parsed, or are of a wrong shape."""
    hidden_tables: frozenset[str] = frozenset()
    """Tables that such a file of knowledge seems to hold: what is missing there is not held against others."""
    hidden_settings: frozenset[str] = frozenset()
    """Keys of promptforge.yaml of which something could not be read, or that an unknown key may be meant for."""


def read_project(root: Path) -> Tree:
    """The project's files, under its own size limit.

    Raises NoProjectError when there is no promptforge.yaml in `root`.
    """
    limit_mb: float = DEFAULT_FILE_MB
    content = read_file(root, CONFIG)
    if isinstance(content, Problem) and not (root / CONFIG).exists() and not (root / CONFIG).is_symlink():
        raise NoProjectError(f"no {CONFIG} in {root}", hint="start one here: promptforge init")
    if isinstance(content, bytes) and b"file_mb" in content:
        document, _ = parse(CONFIG, content)
        if document and isinstance(document.data, dict) and isinstance(document.data.get("limits"), dict):
            wanted = document.data["limits"].get("file_mb")
            limit_mb = wanted if isinstance(wanted, (int, float)) and wanted > 0 else limit_mb
    return read_folder(root, limit_mb=limit_mb)


def load(tree: Tree, *, parse: Parse = parse, known: bool = False) -> tuple[Loaded, list[Diagnostic]]:
    """Every file parsed and its shape checked, unless that is `known` to be right."""
    found = [_unreadable(problem) for problem in tree.problems]
    documents: dict[str, Document] = {}
    schemas: dict[str, bytes] = {}
    templates: dict[str, Text] = {}
    for path, content in tree.files.items():
        if path.startswith("agents/templates/"):
            template = _template(path, content, found)
            if template is not None:
                templates[path.removeprefix("agents/templates/")] = template
        elif path.endswith(".schema.json"):
            schemas[PurePosixPath(path).name.removesuffix(".schema.json")] = content
        elif _is_document(path):
            document, problems = parse(path, content)
            found.extend(problems)
            if document is not None:
                documents[path] = document
    shaped: dict[str, dict[str, Document]] = {"project": {}, "agent": {}, "fewshot": {}, "knowledge": {}}
    for path, document in documents.items():
        kind = _kind(path)
        problems, wrong = ((), frozenset()) if kind == "knowledge" or known else check_shape(document, kind)
        found.extend(problems)
        if all(_may_be_left_out(kind, part) for part in wrong):
            left_out = frozenset(part[:2] for part in wrong if not _is_further_key(kind, part))
            shaped[kind][path] = replace(document, wrong=left_out) if left_out else document
    kept = {path for kind in shaped.values() for path in kind}
    unread = {problem.file for problem in tree.problems}
    broken = unread | {path for path in tree.files if _is_document(path)} - kept
    loaded = Loaded(
        broken=frozenset(broken),
        hidden_tables=frozenset(_hidden_tables(tree, broken)),
        hidden_settings=_hidden_settings(shaped["project"].get(CONFIG), CONFIG in broken),
        config=shaped["project"].get(CONFIG),
        knowledge=shaped["knowledge"],
        agents=shaped["agent"],
        fewshot=shaped["fewshot"],
        schemas=schemas,
        templates=templates,
        documents=documents,
    )
    return loaded, found


def _may_be_left_out(kind: str, part: Steps) -> bool:
    """Whether the rest of a file can be judged without a part of the wrong shape: a section, an example, a key."""
    if kind == "project":
        return bool(part)
    if kind == "agent":
        in_section = len(part) > 1 and part[0] == "sections" and isinstance(part[1], int)
        return in_section or (len(part) == 1 and part[0] not in _AGENT_KEYS)
    return kind == "fewshot" and len(part) > 1 and part[0] == "examples" and isinstance(part[1], int)


_AGENT_KEYS = frozenset(["name", "role", "model", "privacy", "budget", "table", "persona", "sections"])


def _is_further_key(kind: str, part: Steps) -> bool:
    """Whether it is an unknown key of a model, which does not make the others unknown."""
    if kind != "project" or len(part) != 3 or part[0] != "models":
        return False
    return part[2] not in builtin_schema("project")["properties"]["models"]["additionalProperties"]["properties"]


def _hidden_settings(config: Document | None, broken: bool) -> frozenset[str]:
    """The settings that are wrong, and those that are missing and that an unknown key is like."""
    if broken:
        return frozenset(builtin_schema("project")["properties"])
    wrong = frozenset(str(part[0]) for part in config.wrong) if config else frozenset()
    if config is None or not wrong:
        return wrong
    from difflib import get_close_matches  # only a wrong file needs it

    known = builtin_schema("project")["properties"].keys()
    missing = sorted(known - config.data.keys())
    return wrong.union(*(get_close_matches(name, missing, cutoff=0.5) for name in wrong - known))


def _is_document(path: str) -> bool:
    return path.endswith(YAML) and not path.startswith(("agents/templates/", "suites/", "training/"))


_TABLE_LINE = re.compile(rb"^([a-z][a-z0-9_]*):", re.MULTILINE)


def _hidden_tables(tree: Tree, broken: set[str]) -> Iterator[str]:
    """The tables of broken knowledge files, as far as their lines show; of an unreadable one nothing is known."""
    for path in broken:
        if path.startswith("knowledge/") and path.endswith(YAML):
            names = _TABLE_LINE.findall(tree.files.get(path, b""))
            yield from (name.decode() for name in names)
            yield from () if path in tree.files else BUILTIN


def _kind(path: str) -> str:
    if path == CONFIG:
        return "project"
    return {"agents": "agent", "fewshot": "fewshot", "knowledge": "knowledge"}[path.split("/", 1)[0]]


def _unreadable(problem: Problem) -> Diagnostic:
    if problem.kind == "too large":
        hint = "split the file, or raise limits.file_mb in promptforge.yaml"
        message = f"the file is too large: {problem.message}"
        return Diagnostic(code="PF102", span=Span(file=problem.file), message=message, hint=hint)
    hint = "mend the permission or the link, or move it away"
    message = f"the file cannot be read: {problem.message}"
    return Diagnostic(code="PF101", span=Span(file=problem.file), message=message, hint=hint)


def _template(path: str, content: bytes, found: list[Diagnostic]) -> Text | None:
    try:
        return Text(source=content.decode("utf-8-sig").replace("\r\n", "\n"), file=path)
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        message = f"byte 0x{content[problem.start]:02x} is not UTF-8"
        found.append(
            Diagnostic(code="PF103", span=Span(file=path, line=line), message=message, hint="save the file as UTF-8")
        )
        return None
