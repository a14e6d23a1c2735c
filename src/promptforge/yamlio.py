"""YAML text to plain data with the place of every node. Owns PyYAML.

A value means what a person reads (design 3.1): only `true`, `false`, `null`, an empty value and plain decimal
numbers are not text. Nodes are taken from the parser's events with a stack of our own, so that deep nesting, duplicate
keys, tags, anchors and second documents are each seen at their place, and no recursion can overflow.
"""

import re
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from promptforge.document import BLOCK_TEXT, CONSTANTS, SHIFT, Document, plain_value, size_of
from promptforge.source import Diagnostic, Span
from promptforge.yamlplain import read_plain

if TYPE_CHECKING:
    import yaml

__all__ = ["comments", "parse"]

MAX_DEPTH = 64
MAX_ALIAS_NODES = 10_000
_STANDARD_TAGS = ("!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _RefusedError(Exception):
    """A file that the YAML parser accepts and we do not."""

    def __init__(self, code: str, mark: Any, message: str, hint: str = "", length: int = 1) -> None:
        super().__init__(message)
        self.code, self.mark, self.message, self.hint, self.length = code, mark, message, hint, length


def parse(file: str, content: bytes) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """Read one file; without a Document where nothing can be made of it. Never raises for what a file holds."""
    text, found = _decode(file, content)
    if text is None:
        return None, found
    if plain := read_plain(text):
        return Document(file=file, text=text, data=plain[0], positions=plain[1]), found
    return _parse_events(file, text, found)


def _parse_events(
    file: str, text: str, found: tuple[Diagnostic, ...]
) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    import yaml  # most files are plain, and PyYAML takes longer to load than they take to read

    builder = _Builder(file)
    try:
        data = builder.build(_parser(text))
    except _RefusedError as refused:
        place = _span(file, refused.mark, refused.length)
        problem = Diagnostic(code=refused.code, span=place, message=refused.message, hint=refused.hint)
        return None, (*found, *builder.found, problem)
    except yaml.YAMLError as problem:
        return None, (*found, *builder.found, _syntax(file, text, problem))
    document = Document(file=file, text=text, data=data, positions=builder.positions)
    if builder.empty:
        empty = Diagnostic(
            code="PF111", span=Span(file=file), message="the file is empty", hint="write into it, or delete it"
        )
        return None, (*found, empty)
    return (None if builder.broken else document), (*found, *builder.found)


def _parser(text: str) -> Any:
    try:
        from yaml.cyaml import CParser as Parser  # type: ignore[attr-defined]
    except ImportError:  # PyYAML built without libyaml: slower, same events
        from yaml import SafeLoader as Parser  # type: ignore[assignment]
    return Parser(text)


_ODD_BREAK = re.compile("[\x85\u2028\u2029]|\r(?!\n)")


def _decode(file: str, content: bytes) -> tuple[str | None, tuple[Diagnostic, ...]]:
    found = []
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        problem = Diagnostic(
            code="PF103", span=Span(file=file), message="the file is UTF-16", hint="save it as UTF-8 without a BOM"
        )
        return None, (problem,)
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
        message, hint = "the file starts with a byte order mark", "save it as UTF-8 without a BOM"
        found.append(Diagnostic(code="PF113", span=Span(file=file), message=message, hint=hint))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as problem:
        line, column = _place(content, problem.start)
        message = f"byte 0x{content[problem.start]:02x} is not UTF-8"
        hint = "save the file as UTF-8; it looks like Latin-1 or Windows-1252"
        place = Span(file=file, line=line, column=column)
        return None, (*found, Diagnostic(code="PF103", span=place, message=message, hint=hint))
    if "\x00" in text:
        line, column = _place(content, content.index(b"\x00"))
        place = Span(file=file, line=line, column=column)
        message, hint = "a NUL byte", "the file is binary or damaged: restore it, or delete the byte"
        return None, (*found, Diagnostic(code="PF104", span=place, message=message, hint=hint))
    if ("\r" in text or not text.isascii()) and (odd := _ODD_BREAK.search(text)):
        # libyaml would start a line there and no editor does, so every place below it would be wrong.
        line, column = _place(text.encode(), len(text[: odd.start()].encode()))
        message = f"character U+{ord(odd[0]):04X}, which ends a line for YAML and for nobody else"
        hint = f"delete it; in a text in double quotes it can be written \\u{ord(odd[0]):04x}"
        place = Span(file=file, line=line, column=column)
        return None, (*found, Diagnostic(code="PF104", span=place, message=message, hint=hint))
    if "\r\n" in text:
        line = text[: text.index("\r\n")].count("\n") + 1
        message, hint = "lines end in CR LF", "read as LF; to be rid of this: git config core.autocrlf input"
        found.append(Diagnostic(code="PF114", span=Span(file=file, line=line), message=message, hint=hint))
    return text, tuple(found)


def _place(content: bytes, offset: int) -> tuple[int, int]:
    start = content.rfind(b"\n", 0, offset) + 1
    return content.count(b"\n", 0, offset) + 1, len(content[start:offset].decode("utf-8", "replace")) + 1


def _span(file: str, mark: Any, length: int = 1) -> Span:
    return Span(file=file, line=mark.line + 1, column=mark.column + 1, length=max(1, min(length, 80)))


_SYNTAX_HINTS = (
    ("a tab where", "indent with spaces"),
    ("mapping values are not allowed", "quote the value that holds a colon and a space, or mend the indentation above"),
    (
        "could not find expected ':'",
        "a key needs ': ' and a value; or a quote or bracket is not closed, or the text below `|` is not indented",
    ),
    ("did not find expected ',' or", "a bracket is not closed, or a value inside it needs quotes"),
    ("did not find expected <document start>", "the file must hold one mapping, indented evenly"),
    ("did not find expected key", "mend the indentation, or quote the value above"),
    ("never closed", "close it, or take it away"),
    ("cannot start any token", "quote the value: it starts with a character that YAML keeps for itself"),
    ("undefined alias", "define the anchor (&name) above its use"),
    ("block sequence entries are not allowed", "put the '-' on a line of its own, indented below the key"),
)


_UNREADABLE = r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"


def _syntax(file: str, text: str, problem: "yaml.YAMLError") -> Diagnostic:
    """The parser's complaint, at its place, with what usually mends it."""
    from yaml import MarkedYAMLError

    if isinstance(problem, MarkedYAMLError):
        mark = problem.problem_mark or problem.context_mark
        message = problem.problem or problem.context or "not YAML"
        context = problem.context_mark
        if "unexpected end of stream" in message and context:
            mark, message = context, "this quote is never closed"  # said where it opens, not at the end of the file
        if mark and text[mark.index : mark.index + 1] == "\t":
            message = "a tab where only spaces may stand"
        related: tuple[tuple[Span, str], ...] = ()
        if context and mark and context.line != mark.line:
            related = ((_span(file, context), _opened(str(problem.context))),)
        hint = next((hint for sign, hint in _SYNTAX_HINTS if sign in message), "see the line above it, too")
        return Diagnostic(
            code="PF105",
            span=_span(file, mark) if mark else Span(file=file),
            message=message,
            hint=hint,
            related=related,
        )
    # libyaml tells the place in bytes and Python's reader in characters, so it is looked for again.
    refused = re.search(_UNREADABLE, text)
    position = refused.start() if refused else 0
    character = text[position : position + 1]
    line, column = _place(text.encode(), len(text[:position].encode()))
    return Diagnostic(
        code="PF104",
        span=Span(file=file, line=line, column=column),
        message=f"character U+{ord(character or chr(0)):04X} is not allowed in YAML",
        hint="delete it",
    )


def _opened(context: str) -> str:
    """What libyaml was about, in other words: "while parsing a flow mapping" began here."""
    thing = context.removeprefix("while parsing a ").removeprefix("while scanning a ")
    words = {"flow mapping": "'{' opened here", "flow sequence": "'[' opened here", "simple key": "the key is here"}
    return words.get(thing, f"the {thing} begins here" if thing != context else context)


def _kinds() -> tuple[type, ...]:
    from yaml import events as e

    collections = e.MappingStartEvent, e.MappingEndEvent, e.SequenceStartEvent, e.SequenceEndEvent
    return (e.ScalarEvent, e.AliasEvent, *collections, e.DocumentStartEvent, e.StreamEndEvent)


class _Builder:
    """Plain data from the parser's events."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.positions: array[int] = array("Q")
        self.found: list[Diagnostic] = []
        self.broken = False
        self.empty = True
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.alias_nodes = 0
        self.stack: list[tuple[Any, bool]] = []

    def build(self, parser: Any) -> Any:
        """The root value. The hot loop: no call for a key or a plain text. Raises _RefusedError, or PyYAML's errors."""
        scalar, alias, mapping, mapping_end, sequence, sequence_end, document, end = _kinds()
        add_position = self.positions.append
        container: Any = None
        in_mapping = False
        key: str | None = None
        root: Any = None
        for event in iter(parser.get_event, None):
            kind = event.__class__
            if kind is scalar:
                mark = event.start_mark
                add_position(mark.line << SHIFT | mark.column)
                value = event.value
                if in_mapping and key is None:
                    if value in container or value == "<<" or event.tag is not None or event.anchor is not None:
                        self._odd_key(event, value, container)
                    key = value
                    continue
                if event.style or event.tag is not None or event.anchor is not None:
                    value = self._marked_scalar(event)
                elif value in CONSTANTS:
                    value = CONSTANTS[value]
                elif value[0] in "-0123456789":
                    value = plain_value(value)
            elif kind is mapping_end or kind is sequence_end:
                container, in_mapping = self.stack.pop()
                continue
            elif kind is mapping or kind is sequence:
                value = self._open(event, {} if kind is mapping else [], is_key=in_mapping and key is None)
            elif kind is alias:
                value = self._alias(event, container, is_key=in_mapping and key is None)
            elif kind is end:
                break
            else:
                self._check_single(event, starts=kind is document)
                continue
            # A value has begun or is complete: put it where it belongs.
            if in_mapping:
                container[key] = value
                key = None
            elif container is not None:
                container.append(value)
            else:
                root = value
                self.empty = kind is scalar and value is None
            if kind is mapping or kind is sequence:
                self.stack.append((container, in_mapping))
                container, in_mapping = value, kind is mapping
        return root

    def _check_single(self, event: Any, *, starts: bool) -> None:
        if starts and not self.empty:
            message, hint = "a second document starts here", "one file holds one document: delete the '---'"
            raise _RefusedError("PF107", event.start_mark, message, hint)

    def _open(self, event: Any, made: Any, *, is_key: bool) -> Any:
        mark = event.start_mark
        if is_key:
            hint = "put the value in quotes: YAML takes '{' and '[' for a mapping and a list"
            raise _RefusedError("PF115", mark, "a key must be a plain text", hint)
        if len(self.stack) >= MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep"
            raise _RefusedError("PF110", mark, message, "flatten it: a fact is a mapping of columns to values")
        self._check_tag(event)
        self.positions.append(mark.line << SHIFT | mark.column)
        if event.anchor is not None:
            self.anchors[event.anchor] = (made, mark.line)
        return made

    def _marked_scalar(self, event: Any) -> Any:
        """A scalar in quotes or a block, with a tag or with an anchor."""
        self._check_tag(event)
        if event.style == "|":
            self.positions[-1] |= BLOCK_TEXT
        value = event.value if event.style or event.tag else plain_value(event.value)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, event.start_mark.line)
        return value

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag not in _STANDARD_TAGS:
            raise _RefusedError(
                "PF108",
                event.start_mark,
                f"the tag '{event.tag}' is not supported",
                "write the value without a tag; quote it if it must stay text",
            )

    def _odd_key(self, event: Any, key: str, container: dict[str, Any]) -> None:
        """A key with a tag or an anchor, or one that cannot be."""
        self._marked_scalar(event)
        if key not in container and key != "<<":
            return
        self.broken = True
        place = _span(self.file, event.start_mark, len(key))
        if key == "<<":
            message, hint = "merge keys (<<) are not supported", "write the columns out, or use _defaults"
            self.found.append(Diagnostic(code="PF112", span=place, message=message, hint=hint))
            return
        message, hint = f"the key '{key}' stands twice in this mapping", "keep one of them"
        first = self._first_key(container, key)
        related = ((first, "first here"),) if first else ()
        self.found.append(Diagnostic(code="PF106", span=place, message=message, hint=hint, related=related))

    def _first_key(self, container: dict[str, Any], key: str) -> Span | None:
        """The place of a key already read: found by walking back over the nodes since."""
        index = len(self.positions) - 1
        for name in reversed(container):
            index -= size_of(container[name]) + 1
            if name == key:
                break
        packed = self.positions[index] if 0 <= index < len(self.positions) else None
        if packed is None:
            return None
        return Span(
            file=self.file, line=(packed >> SHIFT) + 1, column=(packed & 0x7FFFFFFF) + 1, length=min(len(key), 80)
        )

    def _alias(self, event: Any, container: Any, *, is_key: bool) -> Any:
        mark = event.start_mark
        if event.anchor not in self.anchors:
            raise _RefusedError(
                "PF105", mark, f"undefined alias '*{event.anchor}'", "define the anchor (&name) above it"
            )
        if is_key:
            raise _RefusedError("PF115", mark, "a key must be a plain text", "write the key out")
        value, _ = self.anchors[event.anchor]
        if value is container or any(value is above for above, _ in self.stack):
            raise _RefusedError("PF109", mark, f"'*{event.anchor}' holds itself", "write the value out")
        size = size_of(value)
        self.alias_nodes += size
        if self.alias_nodes > MAX_ALIAS_NODES:
            message = f"the aliases of this file expand to more than {MAX_ALIAS_NODES:,} values"
            raise _RefusedError("PF109", mark, message, "write the values out; _defaults fills repeated columns")
        self.positions.extend([mark.line << SHIFT | mark.column] * size)
        return value


def comments(document: Document, word: str) -> Iterator[tuple[int, int, str]]:
    """Line, column (from 1) and text after `word` of each comment that starts with it, block texts not searched.

    Several may stand on one line, one behind the other.
    """
    if word not in document.text:
        return
    from yaml.events import ScalarEvent, StreamEndEvent

    inside: set[int] = set()
    texts: dict[int, list[tuple[int, int]]] = {}
    parser = _parser(document.text)
    while (event := parser.get_event()).__class__ is not StreamEndEvent:
        if isinstance(event, ScalarEvent):
            # The line where a block text starts may still carry a comment; the next ones are text.
            start: Any = event.start_mark
            end: Any = event.end_mark
            inside.update(range(start.line + 1, end.line + (end.column > 0)))
            texts.setdefault(end.line, []).append((start.column if start.line == end.line else 0, end.column))
    starts = rf"#\s*{re.escape(word)}"
    pattern = re.compile(rf"(?:^|(?<=\s)){starts}\s*(.*?)(?=\s{starts}|$)")
    for number, line in enumerate(document.text.split("\n")):
        for match in () if number in inside or word not in line else pattern.finditer(line):
            # What stands in a quoted text is no comment: a secret must not allow itself.
            if not any(first <= match.start() < last for first, last in texts.get(number, ())):
                yield number + 1, match.start() + 1, match[1].strip()
