"""Broken, huge and hostile dumps: a complaint or an observation, never anything else, and never much memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import tries

from promptforge.sources.all import SOURCES, guess
from promptforge.sources.base import Observation, SourceError
from promptforge.sources.gather import fields
from promptforge.sources.looks import DUMPS

CASES = Path(__file__).parent / "cases"
DUMPED = sorted(
    (case.name.partition("-")[0], path)
    for case in CASES.iterdir()
    for path in case.iterdir()
    if path.is_file() and path.name not in ("expected.txt", "options.json") and case.name.partition("-")[0] != "table"
)
MAPPING = CASES / "table-own" / "m.yaml"


def outcome(source: str, path: Path) -> Observation | SourceError:
    """What a reader makes of a file; anything but its own complaint is let through."""
    try:
        return SOURCES[source].read([path], options={"host": "mini", "mapping": str(MAPPING)})
    except SourceError as problem:
        return problem


@given(st.sampled_from(DUMPED), st.floats(0, 1))
@tries(300)
def test_a_dump_that_was_cut_off_is_refused_or_read(tmp_path_factory, dumped, share):
    """Whatever is left of a dump gives a complaint with a hint, or facts; no reader stumbles."""
    source, original = dumped
    content = original.read_bytes()
    path = tmp_path_factory.getbasetemp() / f"cut-{source}"
    path.write_bytes(content[: int(len(content) * share)])
    made = outcome(source, path)
    assert isinstance(made, Observation) or made.hint


@given(st.sampled_from(DUMPED), st.sampled_from(list(SOURCES)), st.data())
@tries(400)
def test_a_damaged_dump_is_refused_or_read(tmp_path_factory, dumped, reader, data):
    """Bytes changed anywhere, given to any source: the same."""
    content = bytearray(dumped[1].read_bytes())
    for _ in range(data.draw(st.integers(0, 6))):
        if content:
            at = data.draw(st.integers(0, len(content) - 1))
            content[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=6))
    path = tmp_path_factory.getbasetemp() / f"damaged-{reader}"
    path.write_bytes(bytes(content))
    made = outcome(reader, path)
    assert isinstance(made, Observation) or made.message


FIELDS = sorted(
    fields(
        "DNSName Peer Self TailscaleIPs _meta activeTargets address all areas arguments assigned_object attributes children connections data device_id devices discoveredLabels ei entities entity_id hosts hostvars hw-address id ip-address key labels leases mac mac_address meta name ports prefix primary_ip4 protocol published result results services site status targets unique_id vars vcpus"
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(JSON, st.sampled_from(list(SOURCES)))
@tries(600)
def test_any_json_is_refused_or_read(tmp_path_factory, value, reader):
    """Fields that hold something of another kind than they should break no reader."""
    path = tmp_path_factory.getbasetemp() / f"any-{reader}.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    outcome(reader, path)


@pytest.mark.parametrize("name", list(SOURCES))
def test_every_source_says_what_it_is(name):
    """Name, one line with the command, and the error for no file at all."""
    source = SOURCES[name]
    assert source.name == name
    assert DUMPS[name].command in source.about
    with pytest.raises(SourceError, match=f"no file was given for {name}"):
        source.read([], options={})


def test_an_unknown_source_is_no_source():
    """The mapping is one: `in`, `len` and a KeyError work."""
    assert "tailscale" in SOURCES
    assert "carrier-pigeon" not in SOURCES
    assert len(SOURCES) == len(list(SOURCES)) == 11


@pytest.mark.parametrize("name", list(SOURCES))
def test_what_is_no_file_is_named(name, tmp_path):
    """A folder, a missing file and a huge one each have their message."""
    options = {"mapping": str(MAPPING), "host": "mini"}
    with pytest.raises(SourceError, match="is a folder"):
        SOURCES[name].read([tmp_path], options=options)
    with pytest.raises(SourceError, match="no such file"):
        SOURCES[name].read([tmp_path / "none"], options=options)
    with (tmp_path / "huge").open("wb") as handle:
        handle.truncate((1 << 30) + 1)  # sparse: it takes no place
    with pytest.raises(SourceError, match="bytes, and the limit is"):
        SOURCES[name].read([tmp_path / "huge"], options=options)


def test_a_pipe_is_not_waited_for(tmp_path):
    """What is no regular file is not opened."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="no regular file"):
        guess(tmp_path / "pipe")


BIG = """
import json, resource, sys, time
from pathlib import Path
from promptforge.sources.all import SOURCES
started = time.monotonic()
made = SOURCES["homeassistant"].read([Path(p) for p in sys.argv[1:]], options={})
try:  # of this program alone: ru_maxrss also counts the process that it was forked from
    status = open("/proc/self/status").read()
    rss_kb = int(status.split("VmHWM:")[1].split()[0])
except OSError:
    rss_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seen": len(made.seen), "rss_mb": rss_kb / 1024, "took_s": time.monotonic() - started}))
"""


def test_fifty_thousand_entities_take_little_memory(tmp_path):
    """States and registry of 50,000 entities, some 100 MB of JSON, are read within 500 MB."""
    entry = json.loads((CASES / "homeassistant-storage-1.19" / "core.entity_registry").read_text())["data"]["entities"][
        5
    ]
    state = json.loads((CASES / "homeassistant-states" / "states.json").read_text())[1]
    with (tmp_path / "registry").open("w") as registry, (tmp_path / "states").open("w") as states:
        registry.write('{"version": 1, "minor_version": 19, "key": "core.entity_registry", "data": {"entities": [')
        states.write("[")
        for number in range(50_000):
            comma, id_ = "," * (number > 0), f"sensor.kitchen_temperature_{number}"
            registry.write(comma + json.dumps(entry | {"entity_id": id_, "unique_id": f"0x{number:016x}-temperature"}))
            states.write(comma + json.dumps(state | {"entity_id": id_}))
        registry.write('], "deleted_entities": []}}')
        states.write("]")
    files = [str(tmp_path / "registry"), str(tmp_path / "states")]
    done = subprocess.run([sys.executable, "-c", BIG, *files], capture_output=True, text=True, check=True, timeout=120)
    measured = json.loads(done.stdout)
    assert measured["seen"] == 50_000
    assert measured["rss_mb"] < 500
