"""What the house style promises of the code itself."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2.exceptions
import pytest

import promptforge
from promptforge import errors, text

_ROOT = Path(__file__).parents[1]
_SOURCE = Path(promptforge.__file__).parent
_HEAVY = (
    "jinja2",
    "jsonschema",
    "yaml",
    "tiktoken",
    "bpe_openai",
    "tokenizers",
    "openai",
    "anthropic",
    "rich",
    "scipy",
)


def _modules() -> list[str]:
    """Every module of the package by its dotted name, but for the packages' own `__init__` and `__main__`."""
    paths = sorted(_SOURCE.rglob("*.py"))
    names = [".".join(path.relative_to(_SOURCE.parent).with_suffix("").parts) for path in paths]
    return [name for name in names if not name.endswith(("__init__", "__main__"))]


def _tree(module: str) -> ast.Module:
    return ast.parse((_SOURCE.parent / (module.replace(".", "/") + ".py")).read_text(encoding="utf-8"))


def test_help_loads_no_heavy_library() -> None:
    """`promptforge --help` is quick: it imports no parser, renderer, tokenizer, client or painter."""
    command = [sys.executable, "-X", "importtime", "-m", "promptforge", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "click" in loaded
    assert loaded.isdisjoint(_HEAVY)


@pytest.mark.parametrize("name", _modules())
def test_a_module_says_what_it_offers(name: str) -> None:
    """A module has a docstring, an `__all__` in order, and every name in it exists and is documented."""
    module = importlib.import_module(name)
    assert module.__doc__
    assert module.__doc__.strip().endswith((".", "}", ")", "`"))
    offered = module.__all__
    assert len(set(offered)) == len(offered)
    documented = {node.name for node in ast.walk(_tree(name)) if _documented(node)}
    own = [word for word in offered if getattr(getattr(module, word), "__module__", name) == name]
    assert [word for word in own if _is_code(getattr(module, word)) and word not in documented] == []


def _is_code(value: object) -> bool:
    return inspect.isclass(value) or inspect.isroutine(value)


def _documented(node: ast.AST) -> bool:
    return isinstance(node, (ast.ClassDef, ast.FunctionDef)) and bool(ast.get_docstring(node))


def _imports(name: str) -> Iterator[tuple[str, str]]:
    """(module, name) for everything that a module takes from another one of the package."""
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("promptforge."):
            yield from ((str(node.module), alias.name) for alias in node.names)


@pytest.mark.parametrize("name", _modules())
def test_only_what_is_offered_is_taken(name: str) -> None:
    """What a module imports from another one of ours is in the other's `__all__`, or is a module itself."""
    modules = set(_modules())
    taken = [(module, word) for module, word in _imports(name) if f"{module}.{word}" not in modules]
    assert [one for one in taken if one[1] not in importlib.import_module(one[0]).__all__] == []


def test_every_package_says_what_it_is() -> None:
    """The packages' own files hold a docstring, and nothing else but the version."""
    for path in _SOURCE.rglob("__init__.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), path
        assert len(tree.body) == (2 if path.parent == _SOURCE else 1)


def test_no_function_is_longer_than_a_screen() -> None:
    """50 lines hold any function, from its first line to its last."""
    long = []
    for name in _modules():
        for node in ast.walk(_tree(name)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 50:
                    long.append(f"{name}.{node.name}: {lines}")
    assert long == []


def test_every_exception_is_in_the_tree() -> None:
    """Each class of errors.py derives from the root, is drawn in the docstring with its exit code, and has no other."""
    drawn = dict(re.findall(r"(\w+Error)\s+exit (\d+)", errors.__doc__ or ""))
    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    assert set(classes) == set(drawn) == set(errors.__all__)
    for name, value in classes.items():
        assert issubclass(value, errors.PromptforgeError)
        assert value.exit_code == int(drawn[name])


def test_every_exception_of_jinja_is_translated() -> None:
    """Whatever Jinja exports as an exception, the table of text.py has a message for it."""
    kinds = tuple(row[0] for row in text._TRANSLATIONS)
    exported = [value for value in vars(jinja2.exceptions).values() if inspect.isclass(value)]
    raised = [value for value in exported if issubclass(value, Exception)]
    assert len(raised) >= 8
    assert [value.__name__ for value in raised if not issubclass(value, kinds)] == []


def test_the_changelog_is_about_this_version() -> None:
    """The first heading of CHANGELOG.md that names a version names that of the package."""
    headings = re.findall(
        r"^## .*?(\d+\.\d+\.\d+\S*)", (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert headings[0].rstrip("]):,") == promptforge.__version__


def test_every_code_is_named_in_the_source() -> None:
    """No diagnostic has a code that the table lacks, and the table has no code that nobody says."""
    from promptforge.source import codes

    said = set()
    for name in _modules():
        for node in ast.walk(_tree(name)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.update(re.findall(r"\bPF\d{3}\b", node.value))
    unknown = said - set(codes()) - {"PF999"}
    assert unknown == set()
    assert set(codes()) - said == set()
