"""An edit within a list, read from its lines alone: where it is told at all, it is what the whole file says."""

import random
from collections.abc import Mapping

import pytest

from promptforge.compiler.tables import make_tables
from promptforge.document import Document
from promptforge.model import Table
from promptforge.workbench.patch import Patch, find_patch
from promptforge.yamlio import parse

FILE = "knowledge/k.yaml"
FACTS = """tools:
  - name: saw
    kind: hand
    notes: |
      sharp
  # the old one
  - name: axe
    kind: hand
ports:
  - {host: mini, port: 22, service: ssh}
  - {host: mini, port: 80, service: web}
"""


def tables_of(text: str) -> tuple[dict[str, Table], bool]:
    """The tables of a file, and whether all is right with it."""
    document, problems = parse(FILE, text.encode())
    if document is None or problems or not isinstance(document.data, dict):
        return {}, False
    tables, found = make_tables({FILE: document}, {}, frozenset())
    return tables, not found and list(tables) == list(document.data)


def make(name: str, document: Document) -> Table | None:
    """A table of a document that holds it alone."""
    tables, found = make_tables({FILE: document}, {}, frozenset())
    return None if found else tables[name]


def patch(old: str, new: str, tables: Mapping[str, Table] | None = None) -> Patch | None:
    """What is told of an edit."""
    return find_patch(FILE, old.encode(), new.encode(), tables or tables_of(old)[0], make)


def contents(table: Table) -> tuple[object, ...]:
    """All that a table is, in a form that tells 1.10 from 1.1 and 1 from true."""
    by_key = {key: fact.id for key, fact in table.by_key.items()}
    return repr(table.facts), by_key, dict(table.columns), table.key, table.declared, table.defaults, table.digest


def assert_right(found: Patch, old: str, new: str) -> None:
    """The tables with what was told are those that the whole file gives, and it says nothing else."""
    before, (after, right) = tables_of(old)[0], tables_of(new)
    assert right
    assert list(after) == list(before)
    for name, table in after.items():
        assert contents(found.now if name == found.now.name else before[name]) == contents(table)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind: hand\n    notes", "kind: power\n    notes"),
        ("sharp", "- blunt: yes"),
        ("name: saw", "name: hacksaw"),
        ("service: ssh", "service: shell"),
        ("service: web", "service: 1.10"),
        ("  # the old one\n", "  # the new one\n"),
    ],
)
def test_a_value_in_its_place_is_told(old, new):
    """A value, a key, a line of a block text or a comment that is edited in its place needs no look at the file."""
    text = FACTS.replace(old, new, 1)
    found = patch(FACTS, text)
    assert found
    assert_right(found, FACTS, text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: axe\n", "name: axe\n    size: 2\n"),  # another number of lines
        ("    kind: hand\nports", "    size: hand\nports"),  # another column
        ("kind: hand\n    notes", 'kind: "hand\n    notes'),  # an open quote
        ("kind: hand\n    notes", "kind: &h hand\n    notes"),  # an anchor
        ("  - name: axe", "  -   name: axe"),  # the fact's own column
        ("  - name: axe", "    name: axe"),  # no item any more
        ("    kind: hand\nports", "    kind: hand\nhosts"),  # another table
        ("name: saw", "name: axe"),  # a key that is taken
        ("port: 80", "port: 81"),  # a key that has another spelling: mini:81:tcp
        ("name: axe", "name: hatchet"),  # the last of its table, before another one
        ("service: ssh", "service: 's\u2028sh'"),  # a line break that YAML counts
        ("  # the old one", "  # promptforge: allow PF512 tried"),  # an allowance
        ("sharp", "the alarm PIN is 482913"),  # a secret
    ],
)
def test_what_may_concern_more_is_left_to_the_parser(old, new):
    """Another column, an open quote, an anchor, a key that is taken: only the whole file can tell."""
    assert patch(FACTS, FACTS.replace(old, new, 1)) is None


def test_what_is_told_is_what_the_whole_file_says():
    """Of random files after random edits, what is told of the lines alone is what the parser makes of all of them."""
    told = 0
    for seed in range(800):
        chance = random.Random(seed)
        text = _file(chance)
        tables, right = tables_of(text)
        for _ in range(8 if right else 0):
            edited = _edited(chance, text)
            if found := patch(text, edited, tables):
                assert_right(found, text, edited)
                told += 1
    assert told > 300


_BLOCKS = ("|\n{0}one\n{0}two", ">-\n{0}one", "plain\n{0}more", "'two\n{0}lines'", "|+\n{0}k\n", '"two\n{0}lines"')
_VALUES = ("1", "x", "'q'", '"dq"', "1.10", "true", "null", "[1, 2]", "{h: 1}", "a # c")
_LINES = ("# word", "", "a: 1", "- u", "? v", ": w", "---", "...", "%YAML 1.2", "\ttab: 1", "i: &x 1", "i: *x", "é: 日")
_SCRAPS = (
    *("1", "x y", "'q'", "'open", '"open', "[1", "]", "{a: 1}", "|", "|-", ">", "&z 1", "*z", "!t x", "- x", "null"),
    *("1.1", "true", "# c", "a: b", "\u2028", "\x85", "@x", "`x`", "~", "", "it's", "x #y", "\tb", '"\\x41"', "R&D"),
)


def _file(chance: random.Random) -> str:
    """Tables with lists of facts in many styles."""
    lines = []
    for table in chance.sample(["tools", "things", "ports"], chance.randrange(1, 3)):
        lines.append(f"{table}:")
        indent = chance.choice([0, 2, 4])
        for number in range(chance.randrange(1, 5)):
            lines += _fact(chance, table, number, indent)
            if chance.random() < 0.15:
                lines.append(chance.choice(["", "# word", " " * indent + "# word", "   "]))
    return "\n".join(lines) + chance.choice(["\n", "\n", ""])


def _fact(chance: random.Random, table: str, number: int, indent: int) -> list[str]:
    pad, deep = " " * indent, " " * (indent + 4)
    if table == "ports":
        return [f"{pad}- {{host: h, port: {number + 1}, service: {chance.choice(_VALUES[:6])}}}"]
    lines = [f"{pad}- name: {table}{number}"]
    for column in chance.sample("abcde", chance.randrange(1, 4)):
        value = chance.choice(_VALUES) if chance.random() < 0.7 else chance.choice(_BLOCKS).format(deep)
        lines += f"{pad}  {column}: {value}".split("\n")
    return lines


def _edited(chance: random.Random, text: str) -> str:
    """The file after one to three edits of single lines."""
    lines = text.split("\n")
    for _ in range(chance.choice([1, 1, 2, 3])):
        at = chance.randrange(len(lines))
        head, colon, _ = lines[at].partition(":")
        match chance.randrange(8):
            case 0 | 1 | 2 | 3 if colon:
                lines[at] = f"{head}: {chance.choice(_SCRAPS)}"
            case 4:
                lines[at] = " " * chance.choice([0, 2, 4, 6]) + chance.choice(_LINES)
            case 5:
                lines[at] = chance.choice([" " + lines[at], lines[at][1:]])
            case 6:
                lines[at] = lines[at].replace("name: ", "name: z", 1)
            case 7:
                other = chance.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines)
