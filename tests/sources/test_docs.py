"""The pages on sources hold."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from promptforge.sources import looks
from promptforge.sources.all import SOURCES
from promptforge.sources.base import Observation, SourceError
from promptforge.sources.clean import Texts
from promptforge.sources.dump import lines_of, shown
from promptforge.sources.gather import Gathering, identity_of
from promptforge.sources.marks import address_values, first_label

DOCS = Path(__file__).parents[2] / "docs"


def test_every_source_has_its_place_in_the_reference():
    """The table names each source, and each has its section with the command that its help names."""
    page = (DOCS / "reference" / "sources.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    for name in SOURCES:
        assert f"| [`{name}`](#{name}) |" in page
        if name != "table":
            program = looks.DUMPS[name].command.split(" /")[0].split(" >")[0].split(' "')[0]
            assert program in sections[name], name


def test_the_example_of_a_new_source_works(monkeypatch, tmp_path):
    """What the how-to page shows is a whole reader: it reads, counts what it passes over, and complains."""
    page = (DOCS / "how-to" / "add-a-source.md").read_text(encoding="utf-8")
    code = re.sub(r"^    ", "", re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], flags=re.MULTILINE)
    monkeypatch.setitem(looks.DUMPS, "pihole", looks.Dump("a list of local names", "cp /etc/pihole/custom.list ."))
    names = {
        "DUMPS": looks.DUMPS, "Gathering": Gathering, "Mapping": Mapping, "Observation": Observation, "Path": Path,
        "Sequence": Sequence, "Texts": Texts, "address_values": address_values, "first_label": first_label,
        "identity_of": identity_of, "lines_of": lines_of, "shown": shown,
    }  # fmt: skip
    exec(compile(code, "add-a-source.md", "exec"), names)
    (tmp_path / "custom.list").write_text("192.0.2.10 mini.manor.example\nnonsense\n")
    made = names["SOURCE"].read([tmp_path / "custom.list"], options={})
    assert [dict(seen.values) for seen in made.seen] == [{"name": "mini", "lan_ip": "192.0.2.10"}]
    assert made.notes == ("passed over lines without an address and a name: 1",)
    (tmp_path / "empty").write_text("")
    with pytest.raises(SourceError, match="expected a list of local names, and found an empty file"):
        names["SOURCE"].read([tmp_path / "empty"], options={})
