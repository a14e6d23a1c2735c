"""What `redact` replaced, what it left, and that a person should still look."""

from collections.abc import Iterator, Mapping
from typing import Any

from promptforge.console.terminal import Painter, columns, plural
from promptforge.workbench.redact import KEY_FILE, Redacted, RedactedText

__all__ = ["redacted_json", "redacted_text", "text_json", "text_status"]

_WORDS: Mapping[str, tuple[str, str]] = {
    "person": ("people", "names of people"),
    "host": ("hosts", "hosts and host names"),
    "site": ("sites", "sites"),
    "device": ("devices", "devices"),
    "entity": ("entities", "entities: ids and names"),
    "codename": ("codenames", "codenames"),
    "alias": ("aliases", "ssh aliases"),
    "user": ("users", "user names"),
    "name": ("names", "other names"),
    "ipv4": ("addresses", "IP addresses"),
    "dashed": ("addresses", "IP addresses"),
    "arpa": ("addresses", "IP addresses"),
    "ipv6": ("addresses", "IP addresses"),
    "mac": ("macs", "MACs"),
    "url": ("urls", "hosts in URLs"),
    "email": ("emails", "e-mail addresses"),
    "home": ("users", "user names"),
    "uuid": ("ids", "serials and long ids"),
    "hex": ("ids", "serials and long ids"),
    "phone": ("phones", "phone numbers"),
    "secret": ("secrets", "secrets, taken out"),
}
_SHOWN = 8


def redacted_text(made: Redacted, paint: Painter, *, dry_run: bool) -> str:
    """What was written, as a person reads it."""
    head = "would write" if dry_run else paint("wrote", "green")
    lines = [f"{head} {made.target}: {plural(len(made.files), 'file')}, {made.changed:,} of them changed"]
    rows = [(f"{count:,}", _words(key)) for key, count in _grouped(made.counts).items()]
    if rows:
        lines.append(columns(rows, right=(0,), indent="  "))
    lines += _left(made, paint)
    if made.new_key:
        lines.append(f"the key is in {made.new_key}: keep it, and to yourself; with it the same values come again")
    if not dry_run:
        lines.append(
            paint("read the copy before you publish it", "bold") + ": no program knows what a story gives away"
        )
    return "\n".join(lines)


def _left(made: Redacted, paint: Painter) -> Iterator[str]:
    yield paint("as they were", "bold") + ": ports, services, agents and models, and all words that name nothing"
    if made.kept:
        first = made.kept[0]
        yield f"  texts of your own columns, but for names in them: {_some(made.kept)} (replace one: --also {first})"
    if made.held:
        yield f"  names that are words of the format, replaced only as names: {_some(made.held)}"
    if made.untold:
        yield f"  names that could be anything, replaced only in their columns: {_some(made.untold)}"
    if made.renamed:
        yield f"renamed: {_some([f'{old} to {new}' for old, new in made.renamed.items()])}"
    if made.skipped:
        yield f"left out: {_some([f'{path} ({why})' for path, why in made.skipped.items()])}"
    if made.as_text:
        yield f"read as plain text, for they are no YAML: {_some(made.as_text)}"
    if made.not_copied:
        yield f"not part of the project, so not in the copy: {_some(made.not_copied)}"


def _some(items: Any) -> str:
    shown = ", ".join(items[:_SHOWN])
    return shown + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")


def _words(key: str) -> str:
    return next(words for name, words in _WORDS.values() if name == key)


def _grouped(counts: Mapping[str, int]) -> dict[str, int]:
    made = {name: 0 for name, _ in _WORDS.values()}
    for kind, count in counts.items():
        made[_WORDS[kind][0]] += count
    return {name: count for name, count in made.items() if count}


def redacted_json(made: Redacted, *, dry_run: bool) -> dict[str, Any]:
    """The same for programs."""
    return {
        "version": 1,
        "target": str(made.target),
        "written": not dry_run,
        "files": list(made.files),
        "changed": made.changed,
        "replaced": _grouped(made.counts),
        "renamed": dict(made.renamed),
        "skipped": dict(made.skipped),
        "read_as_text": list(made.as_text),
        "not_copied": list(made.not_copied),
        "kept_columns": list(made.kept),
        "words_of_the_format": list(made.held),
        "only_in_their_columns": list(made.untold),
        "new_key": made.new_key,
    }


def text_json(made: RedactedText) -> dict[str, Any]:
    """A text for programs."""
    return {"version": 1, "text": made.text, "replaced": _grouped(made.counts)}


def text_status(made: RedactedText) -> str:
    """What is said beside a text, on stderr."""
    counts = _grouped(made.counts)
    said = ", ".join(f"{_words(name)} ({count:,})" for name, count in counts.items())
    lines = [f"replaced: {said}" if counts else "nothing was found to replace"]
    if not made.in_project:
        lines.append("no project here: names of hosts and people are not known; say them with --word, or use -C DIR")
    if made.once:
        lines.append(f"with a key for this once; the same values again: --key FILE (a project has {KEY_FILE})")
    return "\n".join([*lines, "read it before you publish it"])
