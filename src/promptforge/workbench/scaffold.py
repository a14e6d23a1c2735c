"""`init`: a new project with a small working example. What is there already is never overwritten."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from promptforge.emit import emit
from promptforge.errors import InputError, UsageError, WriteError
from promptforge.files import CONFIG
from promptforge.workbench.disk import exclusive, replace_files
from promptforge.workbench.editors import generic_schemas
from promptforge.workbench.origin import installed_from

__all__ = ["WORKFLOW", "Scaffold", "place", "project_name", "refuse_project", "scaffold", "shared_files"]

_DOT = "dot-"
"""How the starter's hidden files begin, so that no tool takes them for this repository's own."""
_YOURS = {
    ".gitignore": ("build/", ".promptforge/", "evals/", "logs/", "dumps/"),
    ".pre-commit-config.yaml": ("promptforge check", "promptforge build --check"),
}
"""Files that most repositories have: theirs stays, and the user is told what of ours it lacks."""
WORKFLOW = ".github/workflows/promptforge.yml"
_OPEN = b'PROMPTFORGE_SOURCE: ""'
_INVENTED = b"#\n# The house is invented, and its addresses are reserved for documentation. Write yours over it.\n"
_TO_FILL_IN = b"FILL IN where promptforge is installed from"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaffold:
    """What `init` made."""

    root: Path
    written: tuple[str, ...]
    """Paths in the project, in order."""
    lacking: Mapping[str, tuple[str, ...]]
    """Files that were there and stay as they are, and what they should say too."""
    open: bool = False
    """Whether the workflow was written and must still be told where promptforge is installed from."""


def scaffold(root: Path, *, empty: bool = False) -> Scaffold:
    """A small working project in `root`, which is made when it is missing; an `empty` one holds no facts yet.

    Raises UsageError where there is a project already, InputError where a file is in the way, WriteError.
    """
    refuse_project(root)
    starter = {path: content for path, content in _starter() if not path.startswith(".")}
    if empty:
        starter = {CONFIG: starter[CONFIG].replace(_INVENTED, b""), **dict(_starter("empty"))}
    name = emit({"name": project_name(root)}).encode()
    starter[CONFIG] = starter[CONFIG].replace(b"name: starter\n", name, 1)
    return place(root, {**starter, **shared_files()})


def refuse_project(root: Path) -> None:
    """Raises UsageError where `root` is a project already, InputError where it is no folder."""
    if _exists(root / CONFIG):
        here = root.resolve() == Path.cwd()
        hint = f"look at it: promptforge {'' if here else f'-C {root} '}check; or start another: promptforge init NAME"
        raise UsageError(f"{'this folder' if here else root} is a project already: it has a {CONFIG}", hint=hint)
    above = next((folder for folder in (root, *root.parents) if _exists(folder)), root)
    if _exists(above) and not above.is_dir():
        raise InputError(f"{above} is a file, so no project can be there", hint="name a folder: promptforge init NAME")


def project_name(root: Path) -> str:
    """The folder's name, as far as it can be read: a control character in it would be an error (PF521)."""
    name = root.resolve().name.encode("utf-8", "replace").decode()
    name = "".join(character for character in name if character.isprintable())
    return name if name.strip() else "house"


def shared_files() -> dict[str, bytes]:
    """What every new project gets besides its own files: schemas for editors, git's, pre-commit's and CI's files."""
    hidden = {path: content for path, content in _starter() if path.startswith(".")}
    if source := installed_from():
        filled = hidden[WORKFLOW].replace(_OPEN, f'PROMPTFORGE_SOURCE: "{source}"'.encode(), 1)
        hidden[WORKFLOW] = filled.replace(_TO_FILL_IN, b"Where promptforge is installed from", 1)
    return {**generic_schemas(), **hidden}


def _starter(kind: str = "starter") -> Iterator[tuple[str, bytes]]:
    """The files of `data/starter`, or of another kind, by their path in a project, settings and facts first."""
    found = dict(_walk(files("promptforge") / "data" / kind, ""))
    order = (CONFIG, "knowledge", "agents", "fewshot", "suites")
    first = {name: number for number, name in enumerate(order)}
    for path in sorted(found, key=lambda path: (first.get(PurePosixPath(path).parts[0], len(order)), path)):
        yield path, found[path]


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = "." + entry.name.removeprefix(_DOT) if entry.name.startswith(_DOT) else entry.name
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{name}/")
        else:
            yield prefix + name, entry.read_bytes()


def place(root: Path, contents: Mapping[str, bytes]) -> Scaffold:
    """Write a project's files, all or none, overwriting nothing.

    Raises InputError where another file is in the way, WriteError when the disk will not have them.
    """
    lacking = {name: words for name in _YOURS if name in contents and (words := _lacks(root / name, contents[name]))}
    ours = {path: content for path, content in contents.items() if path not in _YOURS or not _exists(root / path)}
    if in_the_way := [*dict.fromkeys(found for path in ours if (found := _in_the_way(root, path, ours[path])))]:
        what = "is there already and differs" if len(in_the_way) == 1 else "are there already and differ"
        hint = f"nothing was written; move {'it' if len(in_the_way) == 1 else 'them'} away, or name another folder"
        raise InputError(f"in {root} {', '.join(in_the_way)} {what} from what init would write", hint=hint)
    new = [path for path in ours if not _exists(root / path)]
    _write(root, {root / path: (ours[path], False) for path in new})
    return Scaffold(root=root, written=tuple(new), lacking=lacking, open=_OPEN in ours.get(WORKFLOW, b""))


def _exists(path: Path) -> bool:
    """Whether anything is there, be it a link to nowhere; false where it cannot be told: then writing will say why."""
    return os.path.lexists(path)


def _lacks(path: Path, ours: bytes) -> tuple[str, ...]:
    """What of ours a file that stays as it is does not say."""
    if not _exists(path):
        return ()
    try:
        theirs = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        theirs = ""
    return tuple(word for word in _YOURS[path.name] if word not in theirs and word.rstrip("/") not in theirs.split())


def _in_the_way(root: Path, path: str, content: bytes) -> str:
    """The file or folder that keeps `path` from being written, or nothing."""
    for above in reversed(PurePosixPath(path).parents[:-1]):
        if _exists(root / above) and not (root / above).is_dir():
            return str(above)
    try:
        return "" if not _exists(root / path) or (root / path).read_bytes() == content else path
    except OSError:
        return path


def _write(root: Path, contents: Mapping[Path, tuple[bytes, bool]]) -> None:
    folders = dict.fromkeys(f for path in contents for f in (path.parent, *path.parent.parents))
    ours = sorted((f for f in folders if not _exists(f)), key=lambda f: len(f.parts), reverse=True)
    private = root / ".promptforge"
    ours_too = not _exists(private)
    try:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            raise WriteError(f"cannot make the folder {root}: {reason}") from problem
        with exclusive(root):
            replace_files(root, contents)
    except WriteError as problem:
        if ours_too:
            shutil.rmtree(private, ignore_errors=True)
        for folder in ours:
            with suppress(OSError):
                folder.rmdir()
        hint = "nothing was written; mend the permissions or free some space, or name another folder"
        raise WriteError(problem.message, hint=hint) from problem
