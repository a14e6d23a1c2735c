"""A file that is no YAML, fact by fact."""

import pytest

from promptforge.redaction.broken import chunks, guesses, unescaped

HOUSE = """\
# the house
hosts:
  mini: {site: home}   # the mini
  nas: {site: home, owner: [Anna
  gate:
    role: door
devices:
- name: Lina's watch
- {name: nook}
"""


def test_a_file_is_cut_at_its_facts():
    """One mistake spoils one fact; all parts together are the file."""
    found = list(chunks(HOUSE))
    assert "".join(chunk.text for chunk in found) == HOUSE
    assert all(HOUSE[chunk.start :].startswith(chunk.text) for chunk in found)
    assert [(chunk.table, chunk.good) for chunk in found] == [
        ("", False), ("hosts", True), ("hosts", True), ("hosts", False), ("hosts", True),
        ("devices", True), ("devices", True), ("devices", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "wanted"),
    [
        ("  nas: {site: home, role: files, owner: [Anna", ["nas", "home", "Anna"]),
        ("  role: {os: Debian", ["role"]),
        ('  nas: {notes: "big, old", site: "home', ["nas", "home"]),
        ('  nas: {notes: "big}, attic: {site: "home"}', ["nas", "attic", "home"]),
        ("\tnas: {tags: [net, home], site: 'home' # Anna", ["nas", "home"]),
        ("  nas: {ownr: Anna", ["nas", "ownr", "Anna"]),
        ("  nas\n    site home", ["nas", "site home"]),
        ("  nas:\n    site: home\n   owner: Anna", ["nas", "home", "Anna"]),
    ],
)
def test_what_may_be_a_name_is_one(fact, wanted):
    """Not the words of the format, and not the columns that name nothing."""
    (_, chunk) = chunks(f"hosts:\n{fact}\n")
    assert not chunk.good
    known = {"role", "os", "notes", "tags", "site", "owner", "hosts"}
    assert [one.value for one in guesses(chunk, {}, {"site", "owner"}, known)] == wanted
    assert all(chunk.text[one.start : one.end] == one.value for one in guesses(chunk, {}, {"site", "owner"}, known))


def test_behind_a_broken_head_no_table_is_sure():
    """A bracket that is open at a table's name may hold all that follows, up to the next plain one."""
    found = list(chunks("hosts: {mini: {},\nnas: {role: x}\ndevices:\n- {name: a}\n"))
    assert [(chunk.good, chunk.sure) for chunk in found] == [(False, False), (False, False), (True, True), (True, True)]


def test_escapes_are_read():
    """Where a parser cannot."""
    assert unescaped(r"J\u00f6rg \x41") == "Jörg A"
