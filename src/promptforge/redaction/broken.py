"""Knowledge that is no YAML, fact by fact: what can be read is read, and the rest is guessed so that no name is missed.

A mistake spoils a whole file for a parser, but hardly ever more than one fact. So the file is cut at its tables and
facts, and each is read alone. In a fact that cannot be read, whatever is not known to be the format's is a name: the
copy may lose a word too many there, and the names that such a file alone knows are not left in the others.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from promptforge.compiler.builtin import BUILTIN, KEYS
from promptforge.model import Table
from promptforge.redaction.layout import Role, RoleOf, plain_text, redact_layout
from promptforge.redaction.names import Name
from promptforge.redaction.text import Redactor
from promptforge.redaction.vocabulary import kind_of_key, names_of
from promptforge.roundtrip import LayoutError, outline
from promptforge.yamlio import parse

__all__ = ["SAYS", "Chunk", "Guess", "chunks", "guesses", "names_in", "redact_broken", "unescaped"]


SAYS = re.compile(r"^[ \t]*[^\s#]", re.MULTILINE)
"""A line that is more than blank or a comment."""


class Chunk(NamedTuple):
    """A table's head, or a fact, with the comments behind it. All of them in order are the file."""

    table: str
    head: str
    """What must stand before it so that it can be read alone."""
    start: int
    text: str
    good: bool
    """Whether it can be read."""
    sure: bool
    """Whether it is known to which table it belongs."""


class Guess(NamedTuple):
    """A part of a chunk that may name."""

    start: int
    end: int
    kind: str
    value: str


_HEADER = re.compile(r"([\"']?)([a-z][a-z0-9_]*|_defaults)\1:(?=\s|\Z)")
_SLIPPED = re.compile(rf"(?:{'|'.join(BUILTIN)}):[ \t]*(?:#.*)?")
"""A table's head that slipped to the right."""
_BARE = re.compile(r"[\"']?\w+[\"']?:[ \t]*(?:#.*)?")


def chunks(text: str) -> Iterator[Chunk]:
    """The tables' heads and the facts of a file that cannot be read as a whole."""
    at, table, sure = 0, "", True
    found: list[Chunk] = []
    for part, is_head in _split(text):
        if is_head:
            yield from _trusted(found)
            found = []
            header = _HEADER.match(part)
            table = header[2] if header else ""
            sure = sure or _BARE.fullmatch(part.partition("\n")[0].rstrip("\r")) is not None
        head = "" if is_head or not table else f"{table}:\n"
        good = sure and bool(table) and _is_good(head + part, table)
        sure = sure and (good or not is_head or not SAYS.search(part))
        found.append(Chunk(table, head, at, part, good, sure))
        at += len(part)
    yield from _trusted(found)


def _trusted(found: list[Chunk]) -> Iterator[Chunk]:
    """A table with its facts. One that nobody knows may be a fact that slipped to the left: then none of it is good."""
    if found and found[0].table not in (*BUILTIN, "_defaults", ""):
        is_table = _BARE.fullmatch(found[0].text.partition("\n")[0].rstrip("\r")) and len(found) > 1 and found[1].good
        if not (is_table and _says_something(found[1])):
            found = [one._replace(good=False) for one in found]
    yield from found


def _says_something(first: Chunk) -> bool:
    """Whether a fact is more than a key without a value: `site: null` may be of a fact that slipped to the left."""
    document, _ = parse("x.yaml", (first.head + first.text).encode("utf-8", "surrogatepass"))
    body = document.data.get(first.table) if document is not None and isinstance(document.data, dict) else None
    facts = list(body.values()) if isinstance(body, dict) else body
    return bool(facts) and isinstance(facts, list) and all(isinstance(fact, dict) for fact in facts)


def _split(text: str) -> Iterator[tuple[str, bool]]:
    """The file in parts, and whether a part begins a table."""
    now: list[str] = []
    is_head, indent, in_defaults = True, -1, False
    for line in text.splitlines(keepends=True):
        bare = line.lstrip(" \t")
        lead = line[: len(line) - len(bare)]
        says = bool(bare.strip()) and not bare.startswith("#")
        slipped = bool(lead) and not in_defaults and _SLIPPED.fullmatch(bare.rstrip()) is not None
        begins = says and (slipped or (not lead and not line.startswith("- ")))
        if now and (begins or (says and (indent < 0 or len(lead) <= indent or "\t" in lead))):
            yield "".join(now), is_head
            now, is_head = [], False
        if begins:
            is_head, indent, in_defaults = True, -1, bare.startswith("_defaults:")
        elif says and indent < 0:
            indent = len(lead)
        now.append(line)
    if now:
        yield "".join(now), is_head


def _is_good(text: str, table: str) -> bool:
    document, _ = parse("x.yaml", text.encode("utf-8", "surrogatepass"))
    if document is None or not isinstance(document.data, dict) or set(document.data) != {table}:
        return False
    body = document.data.get(table)
    facts = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    if not (body is None or isinstance(body, (dict, list))):
        return False
    if not all(isinstance(fact, dict) or (fact is None and isinstance(body, dict)) for fact in facts):
        return False
    try:
        outline(text, 0, len(text))
    except LayoutError:
        return False
    return True


# ---- What cannot be read ---------------------------------------------------------------------------------------------

_SEGMENT = re.compile(r"""(?:"[^"\n{}\[\]:]*"|(?<=[\s:{\[,-])'[^'\n{}\[\]:]*'|[^\n{}\[\],])+""")
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
_PAIR = re.compile(r"\s*(?:-\s+)*(?P<key>\"[^\"]*\"|'[^']*'|[^:]*?)\s*:(?:\s+(?P<value>.*)|\Z)", re.DOTALL)
_SPLIT_WORD = re.compile(r"([^\W_][\w-]*)[\[\]{}\t\"]([\w-]*[^\W_])")
_AROUND = " \t\r\"'|>&*!-?"
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")


def guesses(
    chunk: Chunk, tables: Mapping[str, Table], columns: Collection[str], known: Collection[str]
) -> Iterator[Guess]:
    """What may be a name in a chunk that cannot be read: all but the words of the format, and what does not name.

    `columns` are those that name, of any table; `known` the words of the format and all columns.
    """
    text = _COMMENT.sub(lambda comment: " " * len(comment[0]), chunk.text)
    own = chunk.sure and chunk.table in tables and chunk.table not in BUILTIN
    kind, listed, first = kind_of_key(chunk.table), "", bool(chunk.head)
    for segment in _SEGMENT.finditer(text):
        before = text[segment.start() - 1 : segment.start()]
        listed = listed if before == "[" or (before == "," and listed) else ""
        pair = _PAIR.match(segment[0])
        if not pair:
            if listed not in known or listed in columns:
                yield from _guess(segment, segment.span(), "name")
            continue
        key = pair["key"].strip(_AROUND)
        value = pair["value"] or ""
        names_fact = first and (not value.strip() or text[segment.end() : segment.end() + 1] == "{")
        first = False
        listed = key if text[segment.end() : segment.end() + 1] == "[" else ""
        if (key not in known or names_fact) and not own:
            yield from _guess(segment, _moved(pair.span("key"), segment), kind)
        if value.strip() and (key in columns or (key == "name" and not own) or key not in known):
            yield from _guess(segment, _moved(pair.span("value"), segment), kind if key in _keys(chunk) else "name")


def _keys(chunk: Chunk) -> tuple[str, ...]:
    return KEYS.get(chunk.table, ())


def _moved(span: tuple[int, int], segment: re.Match[str]) -> tuple[int, int]:
    return segment.start() + span[0], segment.start() + span[1]


def _guess(segment: re.Match[str], span: tuple[int, int], kind: str) -> Iterator[Guess]:
    """Each line of a part, without quotes and marks."""
    at = span[0]
    for line in segment.string[slice(*span)].splitlines(keepends=True):
        value = line.strip().strip(_AROUND).strip()
        if value:
            start = at + line.index(value)
            yield Guess(start, start + len(value), kind, value)
        at += len(line)


def names_in(
    chunk: Chunk, tables: Mapping[str, Table], columns: Collection[str], known: Collection[str]
) -> Iterator[Name]:
    """The names that a chunk which cannot be read may hold."""
    for guess in guesses(chunk, tables, columns, known):
        values = (guess.value, guess.value.replace("''", "'"), unescaped(guess.value))
        for value in dict.fromkeys(values):
            where = "entities.entity_id" if _is_entity(chunk, value) else ""
            yield from names_of(guess.kind, value.rpartition(".")[2] if where else value, where)
    for word in _SPLIT_WORD.finditer(chunk.text):  # `mi[ni`: a slip in the middle of a name
        yield Name("name", word[1] + word[2], "")


def _is_entity(chunk: Chunk, value: str) -> bool:
    return chunk.table == "entities" and re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", value) is not None


def unescaped(text: str) -> str:
    """A text in which a name may be written with escapes, those of signs read."""
    return _ESCAPE.sub(lambda escape: chr(int(escape[1] or escape[2], 16)), text)


def redact_broken(
    text: str, redactor: Redactor, role_of: RoleOf, tables: Mapping[str, Table], columns: Collection[str]
) -> str:
    """The file, redacted: what can be read by its places, and the rest as text."""
    made = []
    for chunk in chunks(text):
        if chunk.good:
            new, _ = redact_layout(chunk.head + chunk.text, redactor, lambda *asked: _role(role_of(*asked), *asked))
            made.append(new[len(chunk.head) :])
            continue
        at = 0
        for guess in sorted(guesses(chunk, tables, columns, redactor.names.reserved)):
            if guess.start >= at and guess.value in redactor.names.exact:
                made += [plain_text(chunk.text[at : guess.start], redactor), redactor.names.exact[guess.value]]
                at = guess.end
        made.append(plain_text(chunk.text[at:], redactor))
    return "".join(made)


def _role(role: Role, place: tuple[str | int, ...], value: str, is_key: bool) -> Role:
    """A table's own name stays, so that what was put before a chunk can be taken away again."""
    return Role("keep") if is_key and len(place) == 1 else role
