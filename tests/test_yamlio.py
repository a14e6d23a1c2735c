"""YAML as a person reads it: values, places, limits; and YAML that every reader reads alike."""

import random
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from promptforge.document import Decimal, Document
from promptforge.emit import emit
from promptforge.source import Span
from promptforge.yamlio import comments, parse
from strategies import PLAINS, flow, tries


def _parsed(text: str) -> Document:
    document, problems = parse("f.yaml", text.encode())
    assert problems == ()
    assert document is not None
    return document


def _refused(content: str | bytes) -> tuple[str, int, int]:
    """The code and place of the only problem of a file of which nothing can be made."""
    document, problems = parse("f.yaml", content if isinstance(content, bytes) else content.encode())
    assert document is None
    (problem,) = problems
    return problem.code, problem.span.line, problem.span.column


# --- values -----------------------------------------------------------------------------------------------------------

MEANINGS: dict[str, Any] = {
    **dict.fromkeys(["true"], True),
    **dict.fromkeys(["false"], False),
    **dict.fromkeys(["null", ""], None),
    **{word: int(word) for word in ["0", "8123", "-4", "1", "65535", "123456789012345678901234567890"]},
    **{word: Decimal(word) for word in ["1.10", "0.5", "-3.14", "10.0", "1.000"]},
}
TEXTS = (
    *("10:22:33:44:55:10", "22:22", "190:20:30", "2026-11-01", "2001-12-14t21:59:43.10-05:00", "192.0.2.10", "1.2.3"),
    *("off", "no", "on", "yes", "Yes", "NO", "y", "n", "True", "TRUE", "False", "Null", "NULL", "~", "=", "<<", "--4"),
    *("0123", "00", "-0", "+3", "1e3", "1E3", "1.5e3", "0x1F", "0o17", "0b11", "1_000", "1,000", ".5", "1.", ".inf"),
    *(".nan", "9" * 301, "1." + "0" * 301),
)


@pytest.mark.parametrize("written", [*MEANINGS, *TEXTS])
def test_a_value_means_what_a_person_reads(written: str) -> None:
    """Only true, false, null, nothing at all and plain decimal numbers are no text."""
    value = _parsed(f"v: {written}").data["v"]
    wanted = MEANINGS.get(written, written)
    assert value == wanted
    assert type(value) is type(wanted)
    assert written == "" or wanted is None or isinstance(wanted, bool) or str(value) == written


@pytest.mark.parametrize("written", [w for w in (*MEANINGS, *TEXTS, *PLAINS) if w not in ("", "<<")])
def test_a_key_is_always_text(written: str) -> None:
    """The same holds for keys, which are text even where they look like a number."""
    assert _parsed(f"? {written}\n: x").data == {written: "x"}


@pytest.mark.parametrize("written", ["8123", "true", "null", "1.10", "", "off", "0123", "-"])
def test_quotes_and_blocks_make_text(written: str) -> None:
    """Whatever is quoted, folded or in a block is text."""
    data = _parsed(f"a: '{written}'\nb: \"{written}\"\nc: |-\n  {written}\nd: >-\n  {written}\n").data
    assert data == dict.fromkeys("abcd", written)


def test_two_spellings_of_a_decimal_are_equal_but_print_apart() -> None:
    """1.10 and 1.1 are one number, written in two ways."""
    data = _parsed("[1.10, 1.1]").data
    assert data[0] == data[1]
    assert [str(value) for value in data] == ["1.10", "1.1"]


@pytest.mark.parametrize(
    ("text", "value"), [("!!str 12", "12"), ("! 12", "12"), ("!!str true", "true"), ("!!str", ""), ('!!str "a"', "a")]
)
def test_a_tag_that_says_text_makes_text(text: str, value: str) -> None:
    """The only tags that are understood say what the value is anyway."""
    assert _parsed(f"v: {text}").data == {"v": value}


# --- places -----------------------------------------------------------------------------------------------------------


def test_every_node_knows_its_place() -> None:
    """Values, keys, items and what is nested in braces each have the line and column where they start."""
    text = """\
# a comment
ports:
  - {host: mini, port: 1337, tags: [a, "b c"]}
  -   host: nas
      notes: |
        one
        two
"a: b": { c: 'd' ,
  e: {f: g}}
"""
    document = _parsed(text)

    def place(*path: str | int, key: bool = False) -> tuple[int, int, int]:
        span = document.span(path, key=key)
        return span.line, span.column, span.length

    assert place() == (2, 1, 1)
    assert place("ports", key=True) == (2, 1, 5)
    assert place("ports") == (3, 3, 1)
    assert place("ports", 0) == (3, 5, 1)
    assert place("ports", 0, "port") == (3, 24, 4)
    assert place("ports", 0, "port", key=True) == (3, 18, 4)
    assert place("ports", 0, "tags", 0) == (3, 37, 1)
    assert place("ports", 0, "tags", 1)[:2] == (3, 40)
    assert place("ports", 1) == (4, 7, 1)
    assert place("ports", 1, "notes")[:2] == (5, 14)
    assert place("a: b", key=True)[:2] == (8, 1)
    assert place("a: b", "c")[:2] == (8, 14)
    assert place("a: b", "e", "f") == (9, 10, 1)
    assert document.text_start(("ports", 1, "notes")) == (6, 1)
    assert document.text_line(("ports", 1, "notes"), 2) == 7
    assert document.text_start(("ports", 0, "host")) == (3, 0)
    assert document.item_lines(("ports",)) == [3, 4]
    assert document.item_lines(()) == [2, 8]


def test_a_path_that_is_not_there_has_the_place_of_its_parent() -> None:
    """What is missing is shown where it would stand."""
    document = _parsed("a:\n  b: {c: 1}\n")
    assert document.span(("a", "b", "nothing")) == document.span(("a", "b"))
    assert document.span(("a", "b", "nothing"), key=True) == document.span(("a", "b"))
    assert document.line(("a", "b", "c")) == 2


@pytest.mark.parametrize("written", ["|", "|-", "|2+", "&name |", "!!str |-", "|  # said of a block"])
def test_a_block_starts_below_its_sign(written: str) -> None:
    """However a block is introduced, its lines are those of the file."""
    document = _parsed(f"a: 1\nb: {written}\n  one\n  two\nc: 3\n")
    assert document.data["b"].rstrip("\n") == "one\ntwo"
    assert document.text_start(("b",)) == (3, 1)
    assert document.text_line(("b",), 2) == 4


def test_what_an_alias_stands_for_is_placed_at_the_alias() -> None:
    """All of an alias has one place, and what follows it keeps its own."""
    document = _parsed("a: &x {b: 1, c: [2, 3]}\nd: *x\ne: f\n")
    assert document.data["d"] == {"b": 1, "c": [2, 3]}
    assert document.span(("d", "c", 1)).line == 2
    assert document.span(("a", "c", 1)).line == 1
    assert (document.span(("e",)).line, document.span(("e",)).column) == (3, 4)


_leaves = st.one_of(st.integers(0, 999), st.sampled_from(["word", "two words", "22:22", "true", "é", ""]), st.none())
_trees = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["a", "b", "c d", "e:f", "ü"]), inner, max_size=4)
    ),
    max_leaves=20,
)


def _block(value: Any, indent: int, rng: random.Random) -> str:
    """YAML of a tree in a layout that chance chooses, blank lines and comments among it."""
    pad = "\n" * rng.choice([1, 1, 2]) + (f"# c\n{' ' * indent}" if rng.random() < 0.2 else " " * indent)
    if not isinstance(value, (dict, list)) or not value or rng.random() < 0.3:
        return " " + flow(value)
    if isinstance(value, dict):
        return "".join(f"{pad}{flow(key)}:{_block(inner, indent + 2, rng)}" for key, inner in value.items())
    return "".join(f"{pad}-{_block(inner, indent + 2, rng)}" for inner in value)


def _nodes(value: Any, path: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(path, value), *(node for key, one in inner for node in _nodes(one, (*path, key)))]


@tries(120)
@given(st.dictionaries(st.sampled_from(["k", "l"]), _trees, min_size=1), st.integers(0, 10**6))
def test_a_place_is_where_the_node_is_written(tree: dict[str, Any], seed: int) -> None:
    """In any layout, at the line and column of a node or key stands exactly that node or key."""
    text = _block(tree, 0, random.Random(seed)).lstrip(" ") + "\n"
    document = _parsed(text)
    assert document.data == tree
    lines = text.split("\n")
    for path, value in _nodes(tree, ()):
        span = document.span(path)
        here = lines[span.line - 1][span.column - 1 :]
        if isinstance(value, (dict, list)):
            opening = "{" if isinstance(value, dict) else "["
            assert here[0] == opening or not path or value
        else:
            assert here.startswith(flow(value))
        if path and isinstance(path[-1], str):
            key = document.span(path, key=True)
            assert lines[key.line - 1][key.column - 1 :].startswith((flow(path[-1]), path[-1]))
            assert (key.line, key.column) < (span.line, span.column)


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: 2\na: 3\n", ((3, 1), (1, 1))),
        ("t:\n  - {x: 1, yy: {x: 2}, x: [3]}\n", ((2, 24), (2, 6))),
        ("a: {b: [1, {c: 2}]}\n'a': 2\n", ((2, 1), (1, 1))),
        ('0x1: a\n"0x1": b\n', ((2, 1), (1, 1))),
        ("z: &q [1, 2]\ny: *q\nz: 1\n", ((3, 1), (1, 1))),
    ],
)
def test_a_key_that_stands_twice_is_shown_with_the_first(text: str, place: tuple[Any, Any]) -> None:
    """The second one is the error, the first one is related, wherever both stand."""
    document, problems = parse("f.yaml", text.encode())
    assert document is None
    (problem,) = problems
    assert (problem.code, (problem.span.line, problem.span.column)) == ("PF106", place[0])
    ((first, words),) = problem.related
    assert (first.line, first.column, words) == (*place[1], "first here")


def test_every_duplicate_of_a_file_is_said() -> None:
    """All duplicate keys are shown at once, not one a run."""
    _, problems = parse("f.yaml", b"a: 1\na: 2\nb: {c: 1, c: 2}\na: 3\n")
    assert [(p.code, p.span.line) for p in problems] == [("PF106", 2), ("PF106", 3), ("PF106", 4)]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        ("a: 1\n---\nb: 2\n", ("PF107", 2, 1)),
        ("a: !thing 1\n", ("PF108", 1, 4)),
        ("a: !!int '3'\n", ("PF108", 1, 4)),
        ("a: !!python/object:os.system {}\n", ("PF108", 1, 4)),
        ("a: *nobody\n", ("PF105", 1, 4)),
        ("a: &x [*x]\n", ("PF109", 1, 8)),
        ("a: &x {b: {c: *x}}\n", ("PF109", 1, 15)),
        ("a: &x [1]\n*x : 2\n", ("PF115", 2, 1)),
        ("? [1, 2]\n: x\n", ("PF115", 1, 3)),
        ("<<: {a: 1}\n", ("PF112", 1, 1)),
        ("", ("PF111", 1, 0)),
        ("# only a comment\n", ("PF111", 1, 0)),
        ("---\n", ("PF111", 1, 0)),
        ("a: [1, 2\n", ("PF105", 2, 1)),
        ("a: 1\n\tb: 2\n", ("PF105", 2, 1)),
        (b"a: 1\nb: caf\xe9\n", ("PF103", 2, 7)),
        ("a: 1\n".encode("utf-16"), ("PF103", 1, 0)),
        (b"a: 1\nb\0: 2\n", ("PF104", 2, 2)),
        ("a: 1\nb: \x07\n", ("PF104", 2, 4)),
        ("é: 1\nb: \x1b[0m\n", ("PF104", 2, 4)),
        ("a: 1\nb: é\u2028\n", ("PF104", 2, 5)),
        ("# \x85\na: 1\n", ("PF104", 1, 3)),
        ("a: 'x\ry'\r\n", ("PF104", 1, 6)),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(content: str | bytes, refusal: tuple[str, int, int]) -> None:
    """Each kind of broken file has its own code, at the line and column where it breaks."""
    assert _refused(content) == refusal


def test_nesting_has_a_limit() -> None:
    """64 levels are read, the 65th is refused where it opens; no depth overflows anything."""
    deep = "[" * 64 + "]" * 64
    assert _parsed(deep).data is not None
    assert _refused("[" * 65 + "]" * 65) == ("PF110", 1, 65)
    assert _refused("[" * 100_000)[0] == "PF110"
    assert _refused("\n".join(" " * n + "a:" for n in range(500)))[0] == "PF110"


def test_aliases_may_repeat_but_not_explode() -> None:
    """A few aliases are read; a file that would expand without bound is refused at once."""
    assert len(_parsed("a: &x [1, 2, 3]\nb: [" + ", ".join(["*x"] * 100) + "]\n").data["b"]) == 100
    bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    bomb += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert _refused("\n".join(bomb))[0] == "PF109"


@pytest.mark.parametrize(("content", "code"), [(b"\xef\xbb\xbfa: 1\n", "PF113"), (b"a: 1\r\nb: 2\r\n", "PF114")])
def test_marks_of_windows_are_a_warning(content: bytes, code: str) -> None:
    """A byte order mark and CR LF are read through, and said."""
    document, problems = parse("f.yaml", content)
    assert document is not None
    assert document.data["a"] == 1
    assert [p.code for p in problems] == [code]


def test_a_block_with_cr_lf_is_read_with_lf() -> None:
    """A text of several lines holds no carriage return."""
    document, _ = parse("f.yaml", b"a: |\r\n  one\r\n  two\r\nb: x\r\n")
    assert document is not None
    assert document.data == {"a": "one\ntwo\n", "b": "x"}
    assert document.text_start(("a",)) == (2, 1)


_yamlish = st.text(st.sampled_from("ab:-?{}[],&*#!|>'\"%@` \n\t0~.<=é\u2028\x07"), max_size=40)


@tries(300)
@given(st.one_of(_yamlish.map(str.encode), st.binary(max_size=40)))
@example(b"\xff")
@example("a: \ud7ff".encode())
def test_no_file_makes_the_reader_raise(content: bytes) -> None:
    """Whatever the bytes, there is a document, or a diagnostic that says why not, inside the file."""
    document, problems = parse("f.yaml", content)
    errors = [p for p in problems if p.severity == "error"]
    assert (document is None) == bool(errors)
    for problem in problems:
        assert problem.span.file == "f.yaml"
        assert 1 <= problem.span.line <= content.count(b"\n") + 2


@tries(300)
@given(_yamlish)
def test_what_is_read_agrees_with_pyyaml(text: str) -> None:
    """Where a file is read, libyaml, told to leave every scalar as it was written, reads the same tree."""
    document, _ = parse("f.yaml", text.encode())
    assume(document is not None)
    assert document is not None
    assert _as_written(document.data) == _blank(yaml.load(document.text, Loader=yaml.CBaseLoader))


def _as_written(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_written(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_written(inner) for inner in value]
    return (
        {None: "", True: "true", False: "false"}.get(value, str(value))
        if not isinstance(value, (int, float))
        else str(value)
    )


def _blank(value: Any) -> Any:
    """The same tree with nothing where null is written."""
    if isinstance(value, dict):
        return {key: _blank(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_blank(inner) for inner in value]
    return "" if value == "null" else value


# --- comments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["one\u2028two", "one\x85two", "one\rtwo", "one\u2029two"])
def test_a_break_that_only_yaml_knows_may_be_written_as_an_escape(text: str) -> None:
    """In double quotes such a character is part of the text, and no line below it is counted wrong."""
    document = _parsed(f"a: {flow(text)}\nb: x\n")
    assert document.data["a"] == text
    assert document.line(("b",)) == 2


def test_comments_are_found_and_texts_are_not() -> None:
    """A comment that starts with the words is given with its line and the rest; the same words in a text are not."""
    text = """\
# promptforge: allow PF512 first
a: 1 # promptforge: allow PF331 second
b: |  # promptforge: allow PF510 third
  # promptforge: allow PF999 text
  more
c: "# promptforge: allow PF998 quoted"
d: 'x#promptforge: allow PF997'
e: 'several
  # promptforge: allow PF996
  lines'
#promptforge: allow PF520   fourth
"""
    found = list(comments(_parsed(text), "promptforge: allow"))
    assert [(line, rest) for line, _, rest in found if not rest.startswith("PF998")] == [
        (1, "PF512 first"),
        (2, "PF331 second"),
        (3, "PF510 third"),
        (11, "PF520   fourth"),
    ]
    assert not any("PF998" in rest for _, _, rest in found)


# --- writing ----------------------------------------------------------------------------------------------------------

_lines = st.text(st.sampled_from(" \tab:#-|>'\"\\é{}[]%&*!?,"), max_size=6)
_texts = st.one_of(
    st.lists(_lines, min_size=2, max_size=5).map("\n".join),
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.text(st.sampled_from(" \n\tab:#-|>'\"\\é\x85\u2028\ufeff{}[]%&*!?,"), max_size=30),
    st.sampled_from(TEXTS),
)
_emitted = st.recursive(
    st.one_of(_texts, st.integers(-(10**20), 10**20), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)),
    max_leaves=8,
)


@tries(300)
@given(st.dictionaries(_texts, _emitted, min_size=1, max_size=3))
def test_what_is_emitted_reads_back_alike_everywhere(data: dict[str, Any]) -> None:
    """PyYAML, libyaml, a YAML 1.2 reader and our own get back every text, number and name, byte for byte."""
    text = emit(data)
    assert text == emit(data)
    assert yaml.safe_load(text) == data
    assert yaml.load(text, Loader=yaml.CSafeLoader) == data
    assert YAML(typ="safe", pure=True).load(text) == data
    document, _ = parse("f.yaml", text.encode())
    if "<<" not in data and document is not None:
        assert document.data == data


def test_a_text_of_several_lines_is_a_block() -> None:
    """Prompts can be read in the artifact: a line of the prompt is a line of the file, also if it ends in a space."""
    text = emit({"a": {"system": "one \n\n  two\nthree\n", "tokens": 3}})
    assert text == "a:\n  system: |\n    one \n\n      two\n    three\n  tokens: 3\n"


@pytest.mark.parametrize("value", [1, "text", None, {"a": 1.5}, {"a": object()}, {"a": (1,)}])
def test_what_is_no_plain_data_is_not_emitted(value: object) -> None:
    """Nothing is written that would be read back as something else."""
    with pytest.raises(TypeError):
        emit(value)


def test_spans_order_by_place() -> None:
    """Diagnostics sort by file, line, column."""
    assert Span(file="a", line=2, column=1) < Span(file="a", line=10, column=0) < Span(file="b")
