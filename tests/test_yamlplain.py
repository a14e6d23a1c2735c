"""What is read line by line comes out as from the parser's events: the same data, the same places."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from promptforge.yamlio import _Builder, _parser, _RefusedError
from promptforge.yamlplain import read_plain
from strategies import NASTY, PLAINS, tries

ROOT = Path(__file__).parents[1]


def _by_events(text: str) -> tuple[Any, list[int]] | None:
    """As `yamlio` reads a file that is not plain; nothing where it finds fault."""
    builder = _Builder("f.yaml")
    try:
        data = builder.build(_parser(text))
    except (_RefusedError, yaml.YAMLError):
        return None
    return None if builder.found or builder.empty else (data, list(builder.positions))


def _assert_alike(text: str) -> bool:
    """Whether the text is plain; then both ways must agree, types included."""
    plain = read_plain(text)
    if plain is None:
        return False
    assert repr((plain[0], list(plain[1]))) == repr(_by_events(text))
    return True


PLAIN_FILES = (
    "a: 1\n",
    "a: 1",
    "# first\n\na:\n  b: 1.10\n  c:\nd: off # why\n",
    "a:\n- x\n- y: 1\n  z: 'it'\n- \"q\"\nb: {c: 1, d: [e, {f: g}], h: {}, i: []}\n",
    "a:\n  - host: mini\n    port:   8123\n    mac: 00:00:5E:00:53:21\n",
    "a: |\n  one\n\n   two\n\nb: |-\n  x\nc: |+\n  y\n\nd: é ü 😀\n",
    "a:\n",
    "t:\n  - {host: mini, port: 80, service: Council MLX, on: true, at: 10:30}\n",
    "t: [mini, 80, 1.10, Council MLX, true, 0123, 10:30, a.b, x-y]\nu: [a , b]\nv: [a] # why\nw: [null]\n",
)


@pytest.mark.parametrize("text", PLAIN_FILES)
def test_what_people_mostly_write_is_plain(text: str) -> None:
    """Blocks, lists with and without indent, brackets on a line, quotes, `|` texts and comments are read here."""
    assert _assert_alike(text)


UNUSUAL = (
    *("", "\n", "- a\n", "a\n", "a: b: c\n", "a: 1\na: 2\n", "a: 1\n b: 2\n", "a: x\n  y\n", "a: &x 1\n", "a: *x\n"),
    *("a: !t 1\n", "<<: {a: 1}\n", "a: >\n  x\n", "a: 'x\n  y'\n", 'a: "\\n"\n', "a: [x\n", "a: [x,\n  y]\n"),
    *("? a\n: b\n", "---\na: 1\n", "a: 1\n...\n", "a:\tb\n", "a: 1\r\n", "a: |2\n  x\n", "a: |\n  x\n \n  y\n"),
    *("a: |\n", "a: |\n  x", "a: {b: 1, b: 2}\n", "a: [b: c]\n", "a: {x}\n", "a: - b\n", "- - a\n", '"a": 1\n'),
    *("a: 'b''c'\n", "a: \x07\n", "é: 1\n", f"a: {'[' * 40}{']' * 40}\n", f"{'a' * 300}: 1\n"),
    "".join(f"{'  ' * n}a:\n" for n in range(40)),
)


@pytest.mark.parametrize("text", UNUSUAL)
def test_whatever_goes_beyond_that_is_left_to_the_parser(text: str) -> None:
    """Where a file is wrong, or only might be, nothing is read and nothing said."""
    assert read_plain(text) is None


_SIGNS = (*"\n[]{}'\"%@`?,\\\t\r\xa0", "\n\n", ": ", " #", ", ")
_STARTS = ("a", "b:", "c: ", "- ", "  ", "    ", "# x\n", "|\n", "|-\n", "|+\n", ">\n", "&a ", "*a", "!t ", "<<: ", "é")
_PARTS = ("a: x\n", "  b: y\n", "- c: z\n", "  - d\n", "e:\n", "---\n", "{a: b}", "[a, 'b', 1]", "{f: {g: h}, i: [j]}")
_BITS = st.sampled_from([*_SIGNS, *_STARTS, *_PARTS, *PLAINS, *NASTY])


@tries(400)
@given(st.lists(_BITS, max_size=14).map("".join))
@example("a:\n- b:\n  - c\n  d: 1\n")
@example("a: |\n  x\n y: 1\n")
@example("a: |\n\n  x\n")
@example("a: [b, c] # d\n")
@example("a: x #y\nb: x#y\n")
@example("a: {b: c , d: e }\n")
def test_both_ways_of_reading_agree(text: str) -> None:
    """Of any text at all."""
    _assert_alike(text)


_HOUSE = sorted(path for folder in ("knowledge", "agents", "fewshot") for path in (ROOT / folder).glob("*.yaml"))


@tries(60)
@given(st.data())
def test_both_ways_agree_on_a_house_that_was_tampered_with(data: st.DataObject) -> None:
    """Of lines of real files with something put in, taken out or moved to the side."""
    lines = data.draw(st.sampled_from(_HOUSE)).read_text().split("\n")
    start = data.draw(st.integers(0, len(lines) - 1))
    text = "root:\n" + "\n".join(lines[start : start + data.draw(st.integers(1, 12))])
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(_BITS) + text[at + data.draw(st.integers(0, 3)) :]
    _assert_alike(text)


def test_nearly_all_files_of_the_house_are_plain() -> None:
    """So the quick way is the one that counts."""
    plain = [path for path in _HOUSE if _assert_alike(path.read_text())]
    assert len(plain) >= len(_HOUSE) - 2
