"""`redact`: a copy of a project, or any text, without what names the house. All of it is made, and looked at, first."""

import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from promptforge.errors import InputError, UsageError, WriteError
from promptforge.files import CONFIG, TEMPORARY, Problem, read_file
from promptforge.redaction.key import KEY_BYTES, Key
from promptforge.redaction.leftover import Left, left_over, originals
from promptforge.redaction.redaction import Redaction, make_redaction
from promptforge.redaction.vocabulary import kept_columns, naming_columns
from promptforge.workbench.disk import private_folder
from promptforge.workbench.knownnames import Known, known_names
from promptforge.workbench.scaffold import shared_files

__all__ = ["KEY_FILE", "MARK", "Redacted", "RedactedText", "Wishes", "redact_project", "redact_text"]

KEY_FILE = ".promptforge/redact.key"
_MOST_OF_KEY = 4096
"""Bytes of it that are read."""
MARK = "REDACTED.md"
"""In each copy: it says what the copy is, to whoever reads it and to the next run, which may write over it."""
_FIRST_LINE = "# A redacted copy\n"
_MARK_TEXT = f"""{_FIRST_LINE}
Made by `promptforge redact`. Names, addresses, MACs and entity ids are not the real ones; what was equal still is.
Ports, services and the agents' own names are as they were.
The next run writes over the project's files here, and leaves what else there is.
"""
_FOLDERS = ("agents", "fewshot", "knowledge", "schemas", "suites", "training")
_OLD = f"-old{TEMPORARY}"
_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the person asked for."""

    key: Path | None = None
    """The file of the key; without it the project's own."""
    also: tuple[str, ...] = ()
    """Further columns that name: `payee` or `bills.payee`."""
    words: tuple[str, ...] = ()
    """Further names."""
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """What came of a project."""

    target: Path
    files: tuple[str, ...]
    """As they are called in the copy."""
    renamed: Mapping[str, str]
    """Files whose name said something, to their name in the copy."""
    changed: int
    """Files in which something was replaced."""
    counts: Mapping[str, int]
    skipped: Mapping[str, str]
    """Files that are not in the copy, and why."""
    as_text: tuple[str, ...]
    """YAML files that could not be read as YAML, and were redacted as plain text."""
    not_copied: tuple[str, ...]
    """What else lies in the project's folder."""
    kept: tuple[str, ...]
    """Columns whose texts stay, but for the names in them."""
    held: tuple[str, ...]
    """Names that are words of the format, too."""
    untold: tuple[str, ...]
    """Names that say anything, such as `7`."""
    new_key: str = ""
    """The file of the key, where it was made now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedText:
    """What came of a text."""

    text: str
    counts: Mapping[str, int]
    in_project: bool
    once: bool
    """Whether the key is thrown away: another time other values stand for the same."""


def redact_project(root: Path, target: Path, wishes: Wishes) -> Redacted:
    """Write a redacted copy of the project in `root` to the folder `target`, whole or not at all.

    Raises UsageError where the folder is somebody else's, InputError where a name would be left, WriteError.
    """
    place = Path(os.path.normpath(Path.cwd() / target))
    _refuse(root, place)
    texts, skipped = _texts(root)
    ours = {path for path, content in shared_files().items() if texts.get(path, "").encode() == content}
    redaction, new_key = _redaction(root, known_names(root, wishes.also), _read(texts, ours), wishes)
    made, as_text = _redact_all(redaction, texts, ours)
    _look(redaction, originals(redaction, _read(texts, ours)), {path: made[path] for path in texts if path not in ours})
    names = _new_names(redaction, made)
    if not wishes.dry_run:
        _write(place, {**{names[path]: text for path, text in made.items()}, MARK: _MARK_TEXT})
    return Redacted(
        target=target,
        files=tuple(names[path] for path in made),
        renamed={path: new for path, new in names.items() if new != path},
        changed=sum(made[path] != texts[path] for path in made),
        counts=dict(redaction.redactor.counts),
        skipped=skipped,
        as_text=as_text,
        not_copied=_others(root),
        kept=kept_columns(redaction.tables, redaction.columns),
        held=redaction.names.held,
        untold=redaction.names.untold,
        new_key=new_key.removeprefix(f"{root}{os.sep}"),
    )


def redact_text(root: Path | None, text: str, wishes: Wishes) -> RedactedText:
    """A text without what names, with the values that a copy of the project has; outside of one by form alone."""
    if root is None:
        redaction, _ = _redaction(None, Known(tables={}, names=()), [], wishes)
    else:
        found, _ = _texts(root)
        ours = {path for path, content in shared_files().items() if found.get(path, "").encode() == content}
        redaction, _ = _redaction(root, known_names(root, wishes.also), _read(found, ours), wishes)
    made = redaction.redactor.without_secrets(redaction.plain(text))
    _look(redaction, originals(redaction, [text]) - redaction.redactor.given, {"the text": made})
    return RedactedText(
        text=made,
        counts=dict(redaction.redactor.counts),
        in_project=root is not None,
        once=root is None and wishes.key is None,
    )


def _redaction(root: Path | None, known: Known, texts: list[str], wishes: Wishes) -> tuple[Redaction, str]:
    """What stands for what, and the file of the key where it was made now: after all that could be refused."""
    _complain_of_words(wishes.words)
    _complain_of_columns(known, wishes.also)
    secret, new_key = _key(root, wishes)
    names, also, words = known.names, wishes.also, wishes.words
    return make_redaction(Key(secret), known.tables, texts, also=also, words=words, names=names), new_key


# ---- The key ---------------------------------------------------------------------------------------------------------


def _key(root: Path | None, wishes: Wishes) -> tuple[bytes, str]:
    """The key, and its file where it was made now: readable by its owner alone."""
    if wishes.key is None and root is None:
        return secrets.token_bytes(KEY_BYTES), ""
    path = wishes.key or (root or Path()) / KEY_FILE
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"the key {path} is no regular file", hint="name another file: --key FILE")
    try:
        with path.open("rb") as file:
            written = file.read(_MOST_OF_KEY).strip()
    except FileNotFoundError:
        return _new_key(path, None if wishes.key else root, wishes.dry_run)
    except OSError as problem:
        message = f"the key cannot be read: {path}: {(problem.strerror or str(problem)).lower()}"
        raise InputError(message, hint="mend it, or name another file: --key FILE") from problem
    if len(written) < KEY_BYTES:
        hint = "delete it, and a new one is made; it cannot give the old values"
        raise InputError(f"{path} is no key: it has {len(written)} bytes, and a key has {KEY_BYTES} or more", hint=hint)
    return written, ""


def _new_key(path: Path, root: Path | None, dry_run: bool) -> tuple[bytes, str]:
    written = secrets.token_hex(KEY_BYTES).encode()
    if dry_run:
        return written, ""
    if root is not None:
        private_folder(root)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(written + b"\n")
    except FileExistsError:
        return path.read_bytes().strip(), ""  # another process was first
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise WriteError(f"cannot write the key {path}: {reason}", hint="name another place: --key FILE") from problem
    return written, str(path)


# ---- What is there ---------------------------------------------------------------------------------------------------


def _texts(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The project's files by their path, and what cannot be copied."""
    texts: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for path in [CONFIG, *sorted(_below(root))]:
        content = read_file(root, path)
        if isinstance(content, Problem):
            skipped[path] = content.message
            continue
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            skipped[path] = "it is no text in UTF-8"
        else:
            texts[path] = text
    if CONFIG in skipped:
        raise InputError(f"{CONFIG} cannot be read: {skipped[CONFIG]}", hint="mend it first")
    return texts, skipped


def _below(root: Path) -> list[str]:
    found = []
    for folder in _FOLDERS:
        for here, folders, files in os.walk(root / folder, onerror=_complain_of_folder):  # links are not followed
            folders[:] = sorted(one for one in folders if not one.startswith(".") and one != "__pycache__")
            found += [os.path.relpath(Path(here) / file, root) for file in files if not file.startswith(".")]
    return [path.replace(os.sep, "/") for path in found if not path.endswith(TEMPORARY)]


def _complain_of_folder(problem: OSError) -> None:
    """What lies in a folder that cannot be read may name anything; one that is not there holds nothing."""
    if not isinstance(problem, FileNotFoundError):
        said = (problem.strerror or str(problem)).lower()
        message = f"the folder {problem.filename} cannot be read ({said}), so nobody knows which names are in it"
        raise InputError(message, hint="give yourself the right to read it") from problem


def _others(root: Path) -> tuple[str, ...]:
    """What else is in the folder: it is not the project's."""
    with suppress(OSError):
        there = sorted(entry.name + "/" * entry.is_dir() for entry in os.scandir(root))
        return tuple(name for name in there if name.rstrip("/") not in (CONFIG, *_FOLDERS))
    return ()


def _read(texts: Mapping[str, str], ours: set[str]) -> list[str]:
    return [text for path, text in texts.items() if path not in ours]


# ---- What is made ----------------------------------------------------------------------------------------------------


def _complain_of_words(words: tuple[str, ...]) -> None:
    for word in words:
        if not any(sign.isalnum() for sign in word):
            hint = "write the name itself: --word Lighthouse"
            raise UsageError(f"--word '{word}' is no name: it has no letter and no digit", hint=hint)


def _complain_of_columns(known: Known, also: tuple[str, ...]) -> None:
    for wanted in also:
        table, _, column = wanted.rpartition(".")
        if any(column in one.columns and table in ("", name) for name, one in known.tables.items()):
            continue
        kept = kept_columns(known.tables, naming_columns(known.tables, ()))
        hint = f"columns that could be meant: {', '.join(kept[:12])}"
        hint = hint if kept else "no table has a column of your own with texts; a word that no table has: --word WORD"
        raise UsageError(f"--also '{wanted}': no table has such a column", hint=hint)


def _redact_all(
    redaction: Redaction, texts: Mapping[str, str], ours: set[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    made: dict[str, str] = {}
    as_text = []
    for path, text in texts.items():
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        made[path], as_it_is = (text, True) if path in ours else redaction.file(path, text[len(mark) :])
        made[path] = made[path] if path in ours else mark + made[path]
        as_text += [] if as_it_is else [path]
    for path in made.keys() - ours:  # a secret that was told by its column may stand in a sentence, too
        made[path] = redaction.redactor.without_secrets(made[path])
    return made, tuple(as_text)


def _look(redaction: Redaction, before: frozenset[str], files: Mapping[str, str]) -> None:
    left: list[Left] = list(left_over(redaction, before, files))
    if left:
        places = ", ".join(dict.fromkeys(f"{one.file}:{one.line} ({one.kind})" for one in left[:_SHOWN]))
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        hint = "nothing was written; write it there in a plainer way, or take it out"
        raise InputError(f"something of the original would be left: {places}{more}", hint=hint)


def _new_names(redaction: Redaction, made: Mapping[str, str]) -> dict[str, str]:
    names = {path: redaction.path(path) for path in made}
    if len(set(names.values())) < len(names):
        raise InputError("two files would have the same name in the copy", hint="rename one of them")
    return names


# ---- The folder ------------------------------------------------------------------------------------------------------


def _refuse(root: Path, place: Path) -> None:
    """Nothing is written over but an empty folder and a copy of ours."""
    if place == root or place in root.parents:
        raise UsageError(
            f"the copy cannot be {place}: the project is in it", hint="promptforge redact ../my-house-public"
        )
    if root in place.parents:
        hint = f"nothing was written; lay it beside the project: promptforge redact ../{place.name}"
        raise UsageError(f"the copy cannot be {place}: that is inside the project, and its repository", hint=hint)
    if not os.path.lexists(place) or (place.is_dir() and not place.is_symlink() and _is_ours(place)):
        return
    what = "is there, and is no copy of ours" if place.is_dir() else "is there, and is no folder"
    raise UsageError(f"{place} {what}", hint="nothing was written; name a new folder")


def _is_ours(place: Path) -> bool:
    try:
        if not any(place.iterdir()):
            return True
        return (place / MARK).read_text(encoding="utf-8", errors="replace").startswith(_FIRST_LINE)
    except OSError:
        return False


def _write(place: Path, files: Mapping[str, str]) -> None:
    """All files beside the place, then one rename. What else lies in an earlier copy (its `.git`) is taken along."""
    beside = place.parent / f".{place.name}.{os.getpid()}{TEMPORARY}"
    old = place.parent / f".{place.name}.{os.getpid()}{_OLD}"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _sweep(place)
        for path, text in files.items():
            (beside / path).parent.mkdir(parents=True, exist_ok=True)
            with (beside / path).open("w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        if place.exists():
            os.replace(place, old)
        os.replace(beside, place)
        _give_back(old, place)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        hint = "nothing was written; mend the permissions or free some space, or name another folder"
        raise WriteError(f"cannot write {place}: {reason}", hint=hint) from problem
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        with suppress(OSError):
            _give_back(old, place)


def _give_back(old: Path, place: Path) -> None:
    """What the person laid into the earlier copy goes into the new one; all of it goes back where there is none."""
    if not old.exists():
        return
    if not place.exists():
        os.replace(old, place)
        return
    for entry in old.iterdir():
        if entry.name not in (CONFIG, MARK, *_FOLDERS) and not os.path.lexists(place / entry.name):
            os.replace(entry, place / entry.name)
    shutil.rmtree(old)


def _sweep(place: Path) -> None:
    """Put right what a killed run left beside the place."""
    for path in place.parent.glob(f".{place.name}.*{TEMPORARY}"):
        number = path.name.removeprefix(f".{place.name}.").removesuffix(TEMPORARY).removesuffix("-old")
        if number.isdecimal() and not _lives(int(number)):
            if path.name.endswith(_OLD):
                _give_back(path, place)
            else:
                shutil.rmtree(path, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return process != os.getpid()
