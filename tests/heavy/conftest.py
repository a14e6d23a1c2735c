"""What the heavy tests share: one server that they leave alive, one that each may kill, and the lodge's prompts."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from promptforge.backends.compatible import Compatible

sys.path.insert(0, str(Path(__file__).parent))  # `from mlx_house import …`, whatever the import mode

from mlx_house import MlxServer, lodge_at, model_at, promptforge


@pytest.fixture(scope="session")
def mlx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlxServer]:
    """The server that all tests share which leave it alive."""
    server = MlxServer(home=tmp_path_factory.mktemp("huggingface"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[MlxServer]:
    """A server for one test, which may kill it."""
    server = MlxServer(home=tmp_path / "huggingface")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tiny(mlx: MlxServer) -> Iterator[Compatible]:
    """The backend, pointed at the shared server."""
    backend = Compatible(model_at(mlx.base_url), os.environ)
    yield backend
    backend.close()


@pytest.fixture(scope="session")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The lodge's prompts: its persona alone (`base`), and compiled (`enriched`)."""
    folder = lodge_at("http://127.0.0.1:1337/v1", tmp_path_factory.mktemp("lodge") / "lodge")
    done = promptforge(folder, "build")
    assert done.code == 0, done.err
    built = yaml.safe_load((folder / "build" / "agent_prompts.yaml").read_text(encoding="utf-8"))
    agent = yaml.safe_load((folder / "agents" / "warden.yaml").read_text(encoding="utf-8"))
    return {"base": agent["persona"], "enriched": built["warden"]["system"]}
