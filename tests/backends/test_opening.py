"""From an entry of `models` to its backend."""

import subprocess
import sys

import pytest

from promptforge.backends import opening
from promptforge.backends.opening import BACKENDS, open_backend
from promptforge.errors import ExtraMissingError, UsageError, install_command
from promptforge.model import Model


def model(backend: str, **settings: object) -> Model:
    """An entry."""
    return Model(name="m", backend=backend, tier="local", settings={"backend": backend, **settings})


def test_every_backend_opens(tmp_path):
    """Each by its own name, and without a request."""
    (tmp_path / "tape.jsonl").write_text("")
    settings = {"model": "tape.jsonl", "base_url": "http://127.0.0.1:1/v1", "api_key": "env:NOT_SET"}
    for name in BACKENDS:
        backend = open_backend(model(name, **settings), root=tmp_path, environ={})
        assert backend.name == name
        assert backend.identity["backend"] == name
        assert "NOT_SET" not in str(backend.identity)
        backend.close()


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_missing_sdk_says_how_to_install_it(name, tmp_path, monkeypatch):
    """The exact command."""
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissingError) as caught:
        open_backend(model(name), root=tmp_path, environ={})
    assert caught.value.message == f"the backend {name} needs the extra '{name}'"
    assert caught.value.hint == install_command(name)


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_where_nothing_will_be_sent_a_missing_sdk_is_no_matter(name, tmp_path, monkeypatch):
    """A plan needs to know who would be asked, not to ask."""
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    backend = open_backend(model(name, model="x"), root=tmp_path, environ={}, sending=False)
    assert backend.identity["model"] == "x"
    backend.close()


def test_an_unknown_backend(tmp_path):
    with pytest.raises(UsageError) as caught:
        open_backend(model("telepathy"), root=tmp_path, environ={})
    assert caught.value.message == "there is no backend 'telepathy'"
    assert caught.value.hint == "known: reader, replay, compatible, openai, anthropic"


def test_a_backend_is_loaded_only_when_a_model_wants_it():
    """Neither an SDK nor the HTTP client is loaded for the reader."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom promptforge.backends.opening import open_backend\n"
        "from promptforge.model import Model\n"
        "open_backend(Model(name='m', backend='reader', tier='local'), root=Path('.'), environ={})\n"
        "assert not {'openai', 'anthropic', 'httpx', 'http.client', 'ssl'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
