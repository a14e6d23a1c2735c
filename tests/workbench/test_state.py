"""What a build keeps for the next one: never trusted further than the digests in it."""

import json
from pathlib import Path

import pytest

from promptforge.document import Decimal
from promptforge.workbench.forge import forge
from promptforge.workbench.state import UnkeptError, packed, unpacked
from rebuilds import STATE, TODAY, build_both, change, house, knowledge, put


@pytest.fixture
def root(tmp_path):
    """The house, built, and then edited."""
    folder = tmp_path / "house"
    folder.mkdir()
    put(folder, house(knowledge()))
    assert forge(folder, today=TODAY)[1].diagnostics == ()
    change(folder, "knowledge/b.yaml", '{host: "hub", port: 80,', '{host: "hub", port: 8080,')
    return folder


def edit_head(root: Path, key: str, value: object) -> None:
    """Put something else into the head of the state."""
    first, _, rest = (root / STATE).read_bytes().partition(b"\n")
    (root / STATE).write_bytes(json.dumps({**json.loads(first), key: value}).encode() + b"\n" + rest)


def test_without_a_state_there_is_a_whole_build(root):
    """Nobody misses the state, and the whole build leaves a new one."""
    (root / STATE).unlink()
    assert build_both(root) == (False, ())
    change(root, "knowledge/b.yaml", "port: 8080,", "port: 8081,")
    assert build_both(root) == (True, ())


@pytest.mark.parametrize("place", [0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_a_damaged_state_is_no_state(root, place):
    """Wherever a byte of the state is wrong, the build is that of a cold one."""
    content = bytearray((root / STATE).read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x15
    (root / STATE).write_bytes(content)
    build_both(root)


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"[]\n", b"null\n\n", b'{"format": 1}\n', b"\xff\xfe\n"])
def test_a_foreign_state_is_no_state(root, content):
    """What is no state at all is passed over."""
    (root / STATE).write_bytes(content)
    assert build_both(root) == (False, ())


def test_a_state_of_another_version_is_no_state(root):
    """A state that other code made, or another Python, is passed over."""
    edit_head(root, "format", [1, "0.0.1", [3, 11, 0], "little", "0" * 64])
    assert build_both(root) == (False, ())


def test_a_truncated_state_is_no_state(root):
    """A state that lacks its end is passed over where that is needed."""
    content = (root / STATE).read_bytes()
    (root / STATE).write_bytes(content[: len(content) // 2])
    assert build_both(root) == (False, ())


def test_another_tokenizer_counts_anew(root):
    """Where a file of a tokenizer is not what it was, all prompts are counted anew."""
    edit_head(root, "tokenizers", {str(root / "tokenizer.json"): "0" * 64})
    assert build_both(root) == (False, ())


def test_the_state_is_for_the_owner_alone(root):
    """It holds every fact, the private ones included, after a whole build and after an incremental one."""
    for _ in range(2):
        assert (root / STATE).stat().st_mode & 0o777 == 0o600
        build_both(root)


def test_a_state_that_cannot_be_kept_is_no_loss(root):
    """A folder in its place keeps nobody from building."""
    (root / STATE).unlink()
    (root / STATE).mkdir()
    assert build_both(root) == (False, ())


def test_values_come_back_as_they_were():
    """Decimals keep how they were written, and numbers, texts, true and null stay apart."""
    value = {"a": [Decimal("1.10"), 1, True, None, "1.10", {"b": Decimal("2.0")}], "c": {"d": "e"}}
    again = unpacked(json.loads(json.dumps(packed(value))))
    assert repr(again) == repr(value)


def test_a_key_that_looks_like_a_decimal_is_not_kept():
    """A mapping that could be taken for a decimal makes no state, rather than a wrong one."""
    with pytest.raises(UnkeptError):
        packed([{"\0": "1.10"}])
