"""Dumps that are made here, by the programs that this machine has."""

import shutil
import socket
import subprocess

import pytest

from promptforge.sources.all import SOURCES, guess

COMMANDS = [
    ["ss", "-H", "-tlnp"],
    ["ss", "-tlnp"],
    ["ss", "-H", "-tulnp"],
    ["lsof", "-nP", "-iTCP", "-sTCP:LISTEN", "-F", "pcPn"],
    ["lsof", "-nP", "-i", "-F"],
]


@pytest.mark.parametrize("command", [c for c in COMMANDS if shutil.which(c[0])], ids=" ".join)
def test_a_listener_of_our_own_is_found(command, tmp_path):
    """A socket that is opened here is in the dump, as one that the host alone reaches."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    dump = tmp_path / "mini.txt"
    dump.write_text(done.stdout)
    assert guess(dump) == "sockets"
    made = SOURCES["sockets"].read([dump], options={})
    found = {seen.key: seen for seen in made.seen}
    assert found[f"mini:{port}"].noise == "reached from the host alone"
    assert found[f"mini:{port}"].values == {"host": "mini", "port": port}
    assert found[f"mini:{port}"].guesses["service"].startswith("py")
    assert found["mini"].table == "hosts"
