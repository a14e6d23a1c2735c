"""`nightly status` beside a night that runs, and what is read of odd files."""

import pytest

from promptforge.errors import InputError
from promptforge.nightly.journal import Journal
from promptforge.sources.dump import read_json
from promptforge.store import HISTORY, Store
from promptforge.workbench.disk import alone
from promptforge.workbench.moving import import_from


def test_a_night_that_runs_is_not_called_cut_short(pf, house):
    """While somebody holds the lock it runs; when nobody does, it was cut short."""
    with Store(house.root / HISTORY) as store:
        Journal(store).begin("balanced", "inputs", at="2026-11-22T23:00:00.000+00:00")
    with alone(house.root, "nightly", what="a night", hint=""):
        running = pf("nightly", "status").out
    assert "running" in running
    assert "cut short" not in running
    assert running.endswith("no night has ended yet\n")
    assert "cut short" in pf("nightly", "status").out


def test_a_file_without_end_is_no_history(house):
    """It is not waited for, and fills no memory."""
    with Store(house.root / HISTORY) as store, pytest.raises(InputError, match="/dev/zero is no regular file"):
        import_from(store, house.root.__class__("/dev/zero"))


def test_a_file_without_end_is_no_key(pf, house):
    """The same."""
    outcome = pf("redact", "../copy", "--key", "/dev/zero")
    assert (outcome.code, outcome.err) == (
        2,
        "error: the key /dev/zero is no regular file\n  hint: name another file: --key FILE\n",
    )


def test_a_number_that_is_none_is_no_value(tmp_path):
    """An entity of a dump was called `nan`."""
    (tmp_path / "dump.json").write_text('{"name": NaN, "others": [Infinity, -Infinity, 1.5]}')
    assert read_json(tmp_path / "dump.json", "any") == {"name": None, "others": [None, None, 1.5]}
