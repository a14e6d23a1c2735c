"""`doctor`: whether models, keys and tokenizers are in order, and what to do where they are not.

No request leaves for a cloud model, and no key is ever printed or sent.
"""

import datetime
import importlib.util
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from promptforge import __version__
from promptforge.artifact import prompt_digest, read_committed_lock
from promptforge.backends.listeners import Owner, owners
from promptforge.compiler.build import Build, compile_project
from promptforge.compiler.load import read_project
from promptforge.errors import PromptforgeError, install_command
from promptforge.files import CONFIG
from promptforge.model import Agent, Model, Project, written
from promptforge.tokens import TokenizerError, load_tokenizer
from promptforge.workbench.forge import COMMITTED_LOCK, last_build
from promptforge.workbench.reach import Answer, ask_all, local_port
from promptforge.workbench.serves import serve_problems

__all__ = ["EXTRAS", "Context", "Examination", "Extra", "Git", "Health", "Key", "Port", "Tokens", "examine"]

EXTRAS: Mapping[str, tuple[str, str]] = {
    "hf": ("tokenizers", "exact counts with a model's own tokenizer.json"),
    "watch": ("watchfiles", "build --watch"),
    "page": ("starlette", "build --watch --open"),
}
"""Extra to the package that it brings, and what for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A model's key: only whether it is there."""

    state: Literal["set", "missing", "not named", "in the file", "not needed"]
    variable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of this machine that a model's base_url names."""

    number: int
    owners: tuple[Owner, ...] | None
    """Who listens on it; None where that cannot be told."""
    known: tuple[str, ...]
    """The facts that name the port: the host is left to the reader, who knows which one this is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """How a model's tokens are counted."""

    spec: str
    """As promptforge.yaml has it."""
    exact: bool = False
    margin: str = ""
    warnings: tuple[str, ...] = ()
    problem: str = ""
    """Why it cannot be used; nothing when it can."""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Whether the largest budget of a model's agents fits it."""

    tokens: int | None
    largest_budget: int | None
    reserve: int

    @property
    def fits(self) -> bool | None:
        """None where it cannot be told."""
        if self.tokens is None or self.largest_budget is None:
            return None
        return self.largest_budget + self.reserve <= self.tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was found of one model."""

    model: Model
    agents: tuple[str, ...]
    """Whose model it is."""
    key: Key
    answer: Answer | None
    """None where nothing was asked: a cloud model, or a backend without a server."""
    port: Port | None
    tokens: Tokens
    context: Context
    serve: tuple[tuple[str, str], ...] = ()
    """What is wrong with `serve` and `weights`, each with what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """An optional package."""

    name: str
    about: str
    installed: bool

    @property
    def command(self) -> str:
        """What installs it."""
        return install_command(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """What git has to do with the project."""

    version: str | None
    """None when git is not installed."""
    inside: bool
    """Whether the project lies in a repository."""
    ignored: Mapping[str, bool]
    """Of what is made and may hold private facts: whether git ignores it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything that the doctor looked at."""

    root: Path
    name: str
    version: str
    python: str
    git: Git
    build: str
    """The last build, in words."""
    build_fine: bool
    errors: int
    """How many errors `check` would show of the settings, the facts and the links between them."""
    extras: tuple[Extra, ...]
    models: tuple[Health, ...]
    problems: tuple[tuple[str, str], ...]
    """What a command would stumble over, each with what to do about it: these make the exit code 1."""


def examine(root: Path, *, today: datetime.date, environ: Mapping[str, str]) -> Examination:
    """Look at the project in `root` and at the models that it names. Raises NoProjectError."""
    build = compile_project(read_project(root), today=today, only=("",))
    project = build.project
    models = _models(project, root, environ)
    words, fine = _last_build(root, project.config.output)
    return Examination(
        root=root,
        name=project.config.name,
        version=__version__,
        python=platform.python_version(),
        git=_git(root, project.config.output),
        build=words,
        build_fine=fine,
        errors=len(build.errors),
        extras=tuple(
            Extra(name=name, about=about, installed=importlib.util.find_spec(package) is not None)
            for name, (package, about) in EXTRAS.items()
        ),
        models=models,
        problems=(*_settings_problems(build), *(problem for health in models for problem in _problems(health))),
    )


# --- the models -----------------------------------------------------------------------------------------------------


def _models(project: Project, root: Path, environ: Mapping[str, str]) -> tuple[Health, ...]:
    models = project.config.models.values()
    answers = ask_all(url for model in models if (url := _asked_at(model)))
    return tuple(
        Health(
            model=model,
            agents=tuple(agent.name for agent in _agents_of(model, project)),
            key=_key(model, environ),
            answer=answers.get(_asked_at(model)),
            port=_port(model, project),
            tokens=_tokens(model, root),
            context=_context(model, project),
            serve=tuple(serve_problems(model, root=root, environ=environ)),
        )
        for model in models
    )


def _agents_of(model: Model, project: Project) -> Sequence[Agent]:
    return [agent for agent in project.agents.values() if agent.model and agent.model.name == model.name]


def _asked_at(model: Model) -> str:
    """The base_url of a server in the house; nothing for a cloud model, which is never asked."""
    return str(model.settings.get("base_url", "")) if model.tier == "local" else ""


def _key(model: Model, environ: Mapping[str, str]) -> Key:
    named = str(model.settings.get("api_key", ""))
    if not named:
        needed = model.tier == "cloud" and model.backend in ("openai", "anthropic")
        return Key(state="not named" if needed else "not needed")
    if not named.startswith("env:"):
        return Key(state="in the file")
    variable = named.removeprefix("env:")
    return Key(state="set" if environ.get(variable, "").strip() else "missing", variable=variable)


def _port(model: Model, project: Project) -> Port | None:
    number = local_port(str(model.settings.get("base_url", "")))
    if number is None:
        return None
    return Port(number=number, owners=owners(number), known=tuple(_known_at(number, project)))


def _known_at(number: int, project: Project) -> Iterator[str]:
    table = project.tables.get("ports")
    for fact in table.facts if table else ():
        values = {column: written(fact.values.get(column)) for column in ("port", "host", "codename", "service")}
        if values["port"] == str(number):
            what = ", ".join(filter(None, (values["codename"], values["service"]))) or "a port"
            yield f"{what} on {values['host']}"


def _tokens(model: Model, root: Path) -> Tokens:
    from promptforge.sandbox import render_chat

    try:
        tokenizer = load_tokenizer(model.tokenizer, root=root, render_chat=render_chat)
        tokenizer.chat([("system", "Is anybody there?")])  # a chat template may refuse only now
    except TokenizerError as problem:
        return Tokens(spec=model.tokenizer, problem=str(problem), hint=problem.hint)
    return Tokens(
        spec=model.tokenizer, exact=tokenizer.exact, margin=tokenizer.margin, warnings=tuple(tokenizer.warnings)
    )


def _context(model: Model, project: Project) -> Context:
    budgets = [agent.budget_tokens for agent in _agents_of(model, project)]
    largest = max(budgets, default=None)
    return Context(tokens=model.context, largest_budget=largest, reserve=project.config.reserve_tokens)


# --- the problems ---------------------------------------------------------------------------------------------------


def _settings_problems(build: Build) -> Iterator[tuple[str, str]]:
    wrong = any(d.span.file == CONFIG for d in build.errors)
    if wrong:
        yield f"{CONFIG} has errors, so some of its models may be missing here", "promptforge check"


def _problems(health: Health) -> Iterator[tuple[str, str]]:
    """What stops a command; of a model that no agent has, only what everybody should know."""
    name, key = health.model.name, health.key
    if key.state == "in the file":
        yield f"the key of {name} stands in {CONFIG}", "write `api_key: env:NAME`, and change the key"
    yield from health.serve
    if not health.agents:
        return
    whose = ", ".join(health.agents)
    if key.state == "missing":
        yield f"{name}, the model of {whose}, has no key: {key.variable} is not set", f"export {key.variable}=…"
    if key.state == "not named":
        yield f"{name}, the model of {whose}, names no key", "write `api_key: env:NAME` in promptforge.yaml"
    if health.tokens.problem:
        yield (
            f"the tokens of {name}, the model of {whose}, cannot be counted: {health.tokens.problem}",
            health.tokens.hint,
        )
    if health.context.fits is False:
        context = health.context
        total = f"{context.largest_budget} + {context.reserve}"
        yield (
            f"the largest budget of {name} and the reserve ({total} tokens) do not fit its context of {context.tokens}",
            "lower the budget",
        )


# --- the folder -----------------------------------------------------------------------------------------------------


def _last_build(root: Path, output: str) -> tuple[str, bool]:
    """The last build in words, and whether it is as it should be."""
    try:
        artifact = last_build(root, output)
    except (ValueError, PromptforgeError) as problem:
        return f"{output} cannot be used: {problem}; promptforge build makes it anew", False
    if artifact is None:
        return "none yet: promptforge build", False
    try:
        committed = read_committed_lock((root / COMMITTED_LOCK).read_bytes())
    except FileNotFoundError:
        return f"{output} can be read, but there is no {COMMITTED_LOCK}: promptforge build", False
    except (OSError, ValueError) as problem:
        return f"{output} can be read, but {COMMITTED_LOCK} cannot: {problem}", False
    digests = {name: f"sha256:{prompt_digest(entry.enriched)}" for name, entry in artifact.entries.items()}
    if differing := sorted(n for n in {*digests, *committed} if digests.get(n) != committed.get(n)):
        return f"{output} and {COMMITTED_LOCK} differ in {', '.join(differing)}: promptforge build", False
    return f"{output}, as {COMMITTED_LOCK} has it", True


def _git(root: Path, output: str) -> Git:
    said = _run("git", "--version")
    if said is None:
        return Git(version=None, inside=False, ignored={})
    inside = _run("git", "-C", str(root), "rev-parse", "--is-inside-work-tree") == (0, "true")
    ignored: dict[str, bool] = {}
    for path in (output, ".promptforge/history.db") if inside else ():
        done = _run("git", "-C", str(root), "check-ignore", "--quiet", "--", path)
        if done and done[0] in (0, 1):  # anything else: the output lies outside the repository
            ignored["/".join(path.split("/")[:-1]) + "/" if "/" in path else path] = done[0] == 0
    return Git(version=said[1].removeprefix("git version "), inside=inside, ignored=ignored)


def _run(*command: str) -> tuple[int, str] | None:
    """Exit code and output; None when the program is not there or does not end."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.returncode, done.stdout.decode(errors="replace").strip()
