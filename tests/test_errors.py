"""What installs the optional parts."""

import tomllib
from pathlib import Path

from promptforge.errors import EXTRAS, ExtraMissingError, install_command

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_optional_parts_are_those_of_the_package():
    """The packages that a hint names, and their bounds, are those that pyproject.toml asks for."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    asked = {name: tuple(some) for name, some in project["optional-dependencies"].items() if name != "dev"}
    numpy = tuple(one for one in project["dependencies"] if one.startswith("numpy"))
    assert {**asked, "bench": numpy} == EXTRAS


def test_a_hint_names_the_packages_themselves():
    """A missing extra is installed by its packages: the name of this project may be another's on an index."""
    assert install_command("hf") == "pip install 'tokenizers>=0.19'"
    missing = ExtraMissingError("build --watch", "watch")
    assert (missing.message, missing.hint) == (
        "build --watch needs the extra 'watch'",
        "pip install 'watchfiles>=0.21'",
    )
