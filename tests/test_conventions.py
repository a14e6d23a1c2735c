"""The conventions that the code keeps to, held by tests."""

import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

import promptforge
from promptforge import errors, sandbox
from promptforge.source import codes

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "promptforge").rglob("*.py"))
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(promptforge.__path__, "promptforge.")
    if not module.name.endswith("__main__")
)


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a command imports."""
    code = (
        "import os, sys, json\n"
        "def leave(code): sys.stderr.write(json.dumps(sorted(sys.modules))); sys.stderr.flush(); os.kill(os.getpid(), 9)\n"
        "os._exit = leave\n"
        f"sys.argv = ['promptforge', *{list(arguments)!r}]\n"
        "from promptforge.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    return set(json.loads(done.stderr))


def test_help_loads_no_heavy_library():
    """`promptforge --help` imports none of the libraries that only commands need."""
    heavy = {
        "jinja2",
        "jsonschema",
        "yaml",
        "tiktoken",
        "openai",
        "anthropic",
        "rich",
        "tokenizers",
        "bpe_openai",
        "starlette",
        "uvicorn",
    }
    assert not heavy & loaded_by("--help")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_and_what_it_offers(name):
    """A module has a docstring, and `__all__` names things that exist and are documented."""
    module = importlib.import_module(name)
    assert module.__doc__
    offered = getattr(module, "__all__", ())
    assert len(set(offered)) == len(offered)
    documented = {node.name for node in ast.walk(tree_of(name)) if is_documented(node)}
    for public in offered:
        value = getattr(module, public)
        if (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == name:
            assert public in documented


def tree_of(name: str) -> ast.Module:
    """The source of a module."""
    return ast.parse(Path(str(importlib.import_module(name).__file__)).read_text(encoding="utf-8"))


def is_documented(node: ast.AST) -> bool:
    """Whether a function or class has a docstring of its own: a dataclass would be given one."""
    return isinstance(node, (ast.FunctionDef, ast.ClassDef)) and bool(ast.get_docstring(node))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_takes_only_what_another_offers(name):
    """What a module imports from another one of ours is in that one's `__all__`, or is a module itself."""
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("promptforge."):
            for alias in node.names:
                offered = getattr(importlib.import_module(str(node.module)), "__all__", ())
                assert alias.name in offered or f"{node.module}.{alias.name}" in MODULES, f"{node.module}.{alias.name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT / "src").as_posix())
def test_functions_can_be_held_in_mind(path):
    """No function has more than 50 lines: the parser's hot loop is the longest, most have under 35."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 50, node.name


def test_the_tree_of_exceptions_is_drawn():
    """Every exception of errors.py derives from the root and stands in the docstring with its exit code; no other does."""
    drawn = dict(re.findall(r"(\w+Error)\s+exit (\d+)", errors.__doc__))
    classes = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}
    offered = {name for name in errors.__all__ if inspect.isclass(getattr(errors, name))}
    assert set(classes) == set(drawn) == offered
    for name, value in classes.items():
        assert issubclass(value, errors.PromptforgeError)
        assert value.exit_code == int(drawn[name])


def test_every_complaint_of_jinja_is_translated():
    """Whatever jinja2 raises reaches the user in the user's terms."""
    translated = tuple(kind for kind, *_ in sandbox._TRANSLATIONS)
    for name in dir(jinja2.exceptions):
        kind = getattr(jinja2.exceptions, name)
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert issubclass(kind, translated), name


def test_changelog_and_version_agree():
    """The newest entry of the changelog is this version."""
    found = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    assert found[1] == promptforge.__version__


def test_the_readme_is_short_and_finished():
    """At most 100 lines, and nothing left to fill in."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.count("\n") <= 100
    assert "@@" not in readme


def test_every_code_is_said_somewhere():
    """No diagnostic has a code that the table lacks, and the table has no code that nobody says."""
    texts = (node.value for name in MODULES for node in ast.walk(tree_of(name)) if isinstance(node, ast.Constant))
    said = {code for value in texts if isinstance(value, str) for code in re.findall(r"\bPF\d{3}\b", value)}
    assert said == set(codes())
