"""Edits of knowledge files: what was meant is there, for two readers of YAML, and every other byte is as it was."""

import datetime
import io
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError, YAMLStreamError

from promptforge import roundtrip
from promptforge.document import plain_value
from promptforge.errors import InputError
from promptforge.roundtrip import LayoutError, outline
from promptforge.workbench.yamledit import Row, Sheet, as_written
from promptforge.yamlio import comments, parse
from strategies import NASTY, PLAINS, WORDS, texts, tries

FILE = "knowledge/house.yaml"


def edited(text, edit):
    """The text of a file after an edit."""
    sheet = Sheet(FILE, text.encode())
    edit(sheet)
    return sheet.content().decode()


# --- values -----------------------------------------------------------------------------------------------------------

written_values = st.one_of(
    st.sampled_from(
        (*NASTY, *PLAINS, *WORDS, "Juno's lamp", "192.0.2.10", "192.0.2.0/24", "00:00:5E:00:53:0A", "2001:db8::1")
    ),
    texts,
    st.text(max_size=20).filter(lambda text: text.encode("utf-8", "ignore").decode() == text),
    st.integers(-70000, 70000),
    st.booleans(),
    st.none(),
    st.lists(st.sampled_from((*NASTY, *WORDS, 1337)), max_size=3),
)


@given(written_values, st.sampled_from(["", '"', "'"]), st.booleans())
@tries(200)
def test_what_is_written_is_read_back_by_both_readers(value, quote, in_brackets):
    """Ours and one of YAML 1.2 read the very text, with none of them a number, a day or a truth value that was none."""
    line = (
        f"a: {{b: {as_written(value, quote=quote)}, c: d}}\n"
        if in_brackets
        else f"a: {as_written(value, quote=quote)}\n"
    )
    document, found = parse(FILE, line.encode())
    assert document is not None, found
    ours = document.data["a"]["b"] if in_brackets else document.data["a"]
    assert ours == value
    assert type(ours) is type(value)
    read = YAML(typ="safe", pure=True).load(io.StringIO(line))["a"]
    theirs = read["b"] if in_brackets else read
    assert theirs == value
    assert type(theirs) is type(value)


def test_a_word_needs_no_quotes_and_a_trap_has_them():
    """Names, addresses and MACs stay as people write them; what some reader takes for something else is quoted."""
    for plain in ("Mara's laptop", "mini", "192.0.2.10", "00:00:5e:00:53:21", "light.kitchen", "Qui-Gon (old)", "café"):
        assert as_written(plain) == plain
    for trap in (
        "no",
        "Off",
        "22:22",
        "0123",
        "1e3",
        "10:22:33:44:55:10",
        "2026-11-01",
        "~",
        "a: b",
        "a #b",
        "- x",
        "",
        "8123",
    ):
        assert as_written(trap) == f'"{trap}"'


# --- files ------------------------------------------------------------------------------------------------------------

names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True)


@st.composite
def tables(draw, name):
    """A table in one of the layouts that people use, with comments between, and the keys of its facts."""
    layout = draw(st.sampled_from(["brackets", "lines", "one line", "empty"]))
    keys = draw(names)
    mapping = draw(st.booleans())
    comment = draw(st.sampled_from(["", "  # a remark", "  # {not: a fact}"]))
    pad = draw(st.sampled_from(["  ", "    "]))
    dash = draw(st.sampled_from(["- ", "-   "]))
    gap = draw(st.sampled_from(["", "\n", f"{pad}# of the next one\n", "# at the margin\n\n"]))
    value = draw(st.sampled_from(["x", '"two words"', "'22:22'", "00:00:5E:00:53:14", "[1, 2]", "", '"a # b"']))
    if layout == "empty":
        return f"{name}:{draw(st.sampled_from(['', ' []', ' {}']))}{comment}\n", [], False
    if layout == "one line":
        rows = [f"{key}: {{v: 1, w: {value or 2}}}" if mapping else f"{{id: {key}, w: {value or 2}}}" for key in keys]
        return f"{name}: {'{' if mapping else '['}{', '.join(rows)}{'}' if mapping else ']'}{comment}\n", keys, mapping
    lines = [f"{name}:{comment}\n"]
    for key in keys:
        if layout == "brackets":
            head = f"{pad}{key}: {{" if mapping else f"{pad}{dash}{{id: {key}, "
            lines.append(f"{head}v: 1, w: {value or 2}}}{comment}\n")
        elif mapping:
            lines.append(f"{pad}{key}:\n{pad}  v: 1{comment}\n{pad}  w: {value}\n")
        else:
            below = pad + " " * len(dash)
            lines.append(f"{pad}{dash}id: {key}{comment}\n{below}v: 1\n{below}w: {value}\n")
        lines.append(gap)
    return "".join(lines), keys, mapping


@st.composite
def files(draw):
    """A file of several tables with the keys of each, and whether each is a mapping."""
    parts = {name: draw(tables(name)) for name in ("things", "others", "hosts")}
    head = draw(st.sampled_from(["", "# The house.\n\n", "_defaults:\n  things: {site: manor}\n"]))
    text = head + "".join(part[0] for part in parts.values())
    if draw(st.booleans()):
        text = text.removesuffix("\n")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return draw(st.sampled_from(["", "\ufeff"])) + text, parts


def kept(before, after):
    """The lines of a file that are still there."""
    match = SequenceMatcher(None, before, after, autojunk=False)
    return [line for block in match.get_matching_blocks() for line in before[block.a : block.a + block.size]]


@given(files(), st.sampled_from(["things", "others", "hosts", "fresh"]), st.sampled_from(NASTY), st.integers(1, 3))
@tries(150)
def test_added_facts_leave_every_line_as_it_is(file, table, value, count):
    """New facts stand behind those of their table, in its layout; every old line is still there, byte for byte."""
    text, _ = file
    sheet = Sheet(FILE, text.encode())
    mapping = sheet.is_mapping(table)
    facts = [(f"new{n}", {"w": value} if mapping else {"id": f"new{n}", "w": value}) for n in range(count)]
    sheet.add(table, [Row(*fact) for fact in facts])
    made = sheet.content()
    document, _ = parse(FILE, made)
    assert document is not None
    body = document.data[table]
    found = list(body.items())[-count:] if mapping else [(fact["id"], fact) for fact in body[-count:]]
    assert [(key, fact["w"]) for key, fact in found] == [(key, value) for key, _ in facts]
    before, after = text.encode().splitlines(True), made.splitlines(True)
    if before and not before[-1].endswith(b"\n"):
        before[-1] += b"\r\n" if b"\r\n" in made else b"\n"
        after[-1] += b"" if after[-1].endswith(b"\n") else before[-1][-1:] if b"\r" not in made else b"\r\n"
    changed = [line for line in before if line not in kept(before, after)]
    of_one_line = [line for line in changed if line.lstrip(b"\xef\xbb\xbf").startswith(f"{table}:".encode())]
    assert changed == of_one_line
    assert (b"\r\n" in made) == (b"\r\n" in text.encode())


@given(files(), st.data())
@tries(150)
def test_a_changed_value_changes_its_line_alone(file, data):
    """Another value, or a further column, touches the lines of that fact and none besides."""
    text, parts = file
    table = data.draw(st.sampled_from(sorted(parts)))
    _, keys, mapping = parts[table]
    if not keys:
        return
    number = data.draw(st.integers(0, len(keys) - 1))
    values = {"w": data.draw(st.sampled_from(NASTY)), "z": data.draw(st.sampled_from(WORDS))}
    sheet = Sheet(FILE, text.encode())
    sheet.change(table, keys[number] if mapping else number, values)
    made = sheet.content()
    document, _ = parse(FILE, made)
    assert document is not None
    fact = document.data[table][keys[number] if mapping else number]
    assert {column: fact[column] for column in values} == values
    before = text.encode().splitlines(True)
    lost = len(before) - len(kept(before, made.splitlines(True)))
    assert lost <= 1 + (not text.endswith("\n"))


@given(files(), st.sampled_from(["things", "others", "hosts", "fresh"]), st.sampled_from(NASTY), st.data())
@tries(150)
def test_a_remark_is_a_comment_wherever_it_stands(file, table, value, data):
    """On new and on changed facts of any layout it is there once a fact, and no value is another one for it."""
    text, parts = file
    remark = "# promptforge: cleaned w (1 line break) from leases"
    plain, marked = Sheet(FILE, text.encode()), Sheet(FILE, text.encode())
    _, keys, mapping = parts.get(table, ("", [], False))
    number = data.draw(st.integers(0, len(keys) - 1)) if keys else -1
    for sheet, words in ((plain, ""), (marked, remark)):
        if keys:
            sheet.change(table, keys[number] if mapping else number, {"w": value, "z": "1"}, remark=words)
        fact = {"w": value} if sheet.is_mapping(table) else {"id": "new", "w": value}
        sheet.add(table, [Row("new", fact, words), Row("more", {"id": "more"})])
    documents = [parse(FILE, sheet.content())[0] for sheet in (plain, marked)]
    assert documents[0].data == documents[1].data
    found = list(comments(documents[1], "promptforge: cleaned"))
    assert [rest for _, _, rest in found] == ["w (1 line break) from leases"] * (2 if keys else 1)


def test_all_at_once():
    """Changes, renames and additions of one file do not get in each other's way."""
    text = (
        "# The hut.\n"
        "hosts:\n"
        "  mini: {role: hub, lan_ip: 192.0.2.10}   # the hub\n"
        "  attic:\n"
        "    role: files   # and backups\n"
        "\n"
        "ports:   # by host\n"
        '  - {host: mini, port: 1455, service: "Vault", verified: 2026-01-01}\n'
        "  # attic\n"
        "  - {host: attic, port: 445,  service: 'Files'}\n"
    )

    def edit(sheet):
        sheet.change("ports", 0, {"port": 4078, "verified": "2026-11-22"})
        sheet.change("hosts", "attic", {"mac": "00:00:5E:00:53:0A", "role": "off"})
        sheet.change("ports", 1, {"service": "it's files"})
        sheet.change("hosts", "mini", {}, key="maxi")
        sheet.add("hosts", [Row("new", {"role": "no"})])
        sheet.add("ports", [Row("mini:22", {"host": "mini", "port": 22})], behind=0)
        sheet.add("ports", [Row("new:22", {"host": "new", "port": 22})])

    assert edited(text, edit) == (
        "# The hut.\n"
        "hosts:\n"
        "  maxi: {role: hub, lan_ip: 192.0.2.10}   # the hub\n"
        "  attic:\n"
        '    role: "off"   # and backups\n'
        "    mac: 00:00:5E:00:53:0A\n"
        "  new:\n"
        '    role: "no"\n'
        "\n"
        "ports:   # by host\n"
        '  - {host: mini, port: 4078, service: "Vault", verified: 2026-11-22}\n'
        "  - {host: mini, port: 22}\n"
        "  # attic\n"
        "  - {host: attic, port: 445,  service: 'it''s files'}\n"
        "  - {host: new, port: 22}\n"
    )


@pytest.mark.parametrize(
    ("text", "table", "expected"),
    [
        ("", "hosts", "hosts:\n  a: {x: 1}\n"),
        ("# nothing yet\n", "things", "# nothing yet\n\nthings:\n  - {x: 1}\n"),
        ("hosts:\n", "hosts", "hosts:\n  a: {x: 1}\n"),
        ("hosts: {}  # none yet\n", "hosts", "hosts:  # none yet\n  a: {x: 1}\n"),
        ("things: []", "things", "things:\n  - {x: 1}"),
        ("things: [{x: 0}]\n", "things", "things: [{x: 0}, {x: 1}]\n"),
        ("hosts: {b: {x: 0}}\n", "hosts", "hosts: {b: {x: 0}, a: {x: 1}}\n"),
        (
            "things:\n- x: 0\n  y: |\n    a\n    b\n# end\n",
            "things",
            "things:\n- x: 0\n  y: |\n    a\n    b\n- x: 1\n# end\n",
        ),
        ("hosts:\n  b:\n", "hosts", "hosts:\n  b:\n  a: {x: 1}\n"),
    ],
)
def test_the_first_facts_of_a_table_and_odd_last_ones(text, table, expected):
    """Empty tables, missing ones, null facts, and a text of several lines as the last value."""
    assert edited(text, lambda sheet: sheet.add(table, [Row("a", {"x": 1})])) == expected


@pytest.mark.parametrize(
    ("text", "edit", "message"),
    [
        ("t:\n  - &a {x: 1}\n", lambda s: s.change("t", 0, {"x": 2}), "the fact is not written out where it stands"),
        ("t:\n  - {x: 1}\nu:\n  - {x: |}\n", lambda s: s.change("t", 0, {"x": 2}), ""),
        (
            "t:\n  - x: |\n      a\n      b\n",
            lambda s: s.change("t", 0, {"x": "c"}),
            "the value is not written on one line",
        ),
        (
            "t:\n  - x: |\n      a\n      b\n",
            lambda s: s.change("t", 0, {"y": "c"}),
            "no column of the fact stands on one line",
        ),
        ("t:\n  - {x: &a 1, y: *a}\n", lambda s: s.change("t", 0, {"y": 2}), "the value is not written on one line"),
        (
            "t:\n  ? a\n  : {x: 1}\n",
            lambda s: s.change("t", "a", {}, key="b"),
            "the key is not written plainly",
        ),
        (
            "t:\n  &k a: {x: 1}\n",
            lambda s: s.change("t", "a", {"x": 2}, key="b"),
            "the key of the fact is not written plainly",
        ),
        ("t: # c\n  {}\n", lambda s: s.add("t", [Row("c", {"x": 1})]), ""),
        (
            "t:\n  - x: |+\n      a\n\n\n",
            lambda s: s.add("u", [Row("c", {"x": 1})]),
            "is written in a way that cannot be added to safely",
        ),
        (
            "{t: [{x: 1}]}\n",
            lambda s: s.add("u", [Row("c", {"x": 1})]),
            "is written in a way that cannot be added to safely",
        ),
    ],
)
def test_what_only_a_person_should_edit_is_refused(text, edit, message):
    """An edit that could go wrong is refused with its place, and one that works is right."""
    if not message:
        if parse(FILE, text.encode())[0] is None:
            return
        edited(text, edit)
        return
    with pytest.raises(LayoutError, match=message):
        edited(text, edit)


@pytest.mark.parametrize(
    ("text", "table", "message"),
    [
        ("t:\n  -\n    x: 1\n", "t", "knowledge/house.yaml:3: the facts do not begin in lines of their own"),
        ("t: [ # none\n  ]\n", "t", "knowledge/house.yaml:1: the empty table is not written plainly"),
        ("t: !!seq []\n", "t", "knowledge/house.yaml:1: the empty table is not written plainly"),
    ],
)
def test_a_table_that_is_written_oddly_is_not_added_to(text, table, message):
    """A dash in a line of its own, a comment inside of brackets: a person sees better where a fact should go."""
    if parse(FILE, text.encode())[0] is None:
        return
    with pytest.raises(LayoutError, match=message):
        edited(text, lambda sheet: sheet.add(table, [Row("a", {"x": 2})]))


def test_what_is_no_file_of_tables_is_not_edited():
    """Broken YAML with the reason, and a list."""
    with pytest.raises(InputError, match=r"knowledge/house\.yaml cannot be edited: .*"):
        Sheet(FILE, b"a: [")
    with pytest.raises(InputError, match=r"knowledge/house\.yaml cannot be edited: it holds no tables"):
        Sheet(FILE, b"- a\n")


def test_every_complaint_of_ruamel_is_translated():
    """Whatever its reader raises reaches the user in his terms, with the line."""
    assert set(roundtrip._complaints()) == {YAMLStreamError, YAMLError, RecursionError}
    with pytest.raises(LayoutError, match=r"line 2: a YAML 1\.2 reader takes it for something else"):
        outline("a:\n  - {b: ]}\n", 7, 14)
    with pytest.raises(LayoutError, match="line 1: there is no value"):
        outline("a", 1, 1)


def test_days_stay_as_a_person_writes_them():
    """A day without quotes is replaced by one without, and a new one has them, for some readers make a date of it."""
    made = edited(
        "t:\n  - {id: a, verified: 2026-01-01}\n  - {id: b}\n",
        lambda s: [s.change("t", n, {"verified": "2026-11-22"}) for n in (0, 1)],
    )
    assert made == 't:\n  - {id: a, verified: 2026-11-22}\n  - {id: b, verified: "2026-11-22"}\n'
    assert plain_value("2026-11-22") == "2026-11-22"
    assert YAML(typ="safe").load("2026-11-22") == datetime.date(2026, 11, 22)
