"""`init --from`: prompts that exist already become a project that compiles to the same bytes.

The whole project is compiled in memory and compared before the first file is written.
"""

import datetime
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptforge.artifact import prompts_text
from promptforge.compiler.build import Build, compile_project
from promptforge.document import Document
from promptforge.emit import emit
from promptforge.errors import InputError
from promptforge.files import CONFIG, Problem, Tree, read_file, read_folder, wanted
from promptforge.schema import builtin_schema
from promptforge.workbench.scaffold import Scaffold, place, project_name, refuse_project, shared_files
from promptforge.yamlio import parse

__all__ = ["Adopted", "adopt"]

_BUDGET = 6000
_NO_LIMIT = 10**9
_MODELINE = "# yaml-language-server: $schema={}schemas/{}.schema.json\n"
_NOT_IN_NAMES = """: / \\ * ? [ ] { } # , & ! | > ' " % @ `"""
_STARTS_JINJA = re.compile(r"\{[{%#]")
_NEEDS_JINJA = re.compile(r"\{[{%#]|\{?\r")
"""Jinja reads every end of a line as LF, and takes a brace before an expression for a part of it."""


_LOCAL = re.compile(r"\blocal|mlx|ollama|gguf|llama\.?cpp|lm-?studio", re.IGNORECASE)
"""What the name of a model says that runs in the house."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What `init --from` made."""

    scaffold: Scaffold
    agents: tuple[str, ...]
    left: Mapping[str, tuple[str, ...]]
    """Agent to the keys that were not taken over."""
    build: Build
    """The new project, compiled: its diagnostics are about what the prompts hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prompt:
    """One agent of the file that is taken over."""

    name: str
    system: str
    messages: tuple[tuple[str, str], ...]
    """(role, content), a user's and an assistant's in turn."""
    model: str | None
    left: tuple[str, ...]


def adopt(source: Path, root: Path, *, today: datetime.date) -> Adopted:
    """Make a project in `root` of the prompts in `source`, each of which it compiles back byte for byte.

    Raises InputError where the file cannot be used or a prompt cannot be kept so, and what `scaffold` raises.
    Then nothing is written.
    """
    refuse_project(root)
    prompts = _read(source)
    folder = read_folder(root).files if root.is_dir() else {}
    files = _project(prompts, source, root, {})
    build = _compile(root, {**folder, **files}, today)
    tokens = {name: entry.enriched.tokens for name, entry in build.artifact.entries.items()}
    files = _project(prompts, source, root, tokens)
    build = _compile(root, {**folder, **files}, today)
    if names := ", ".join(_not_kept(prompts, build)):
        hint = "nothing was written; name an empty folder, or look at what its files add to these agents"
        raise InputError(f"{root} would not compile the prompts of {names} to the bytes of {source}", hint=hint)
    return Adopted(
        scaffold=place(root, {**files, **shared_files()}),
        agents=tuple(prompt.name for prompt in prompts),
        left={prompt.name: prompt.left for prompt in prompts if prompt.left},
        build=build,
    )


# --- reading --------------------------------------------------------------------------------------------------------


def _read(source: Path) -> tuple[_Prompt, ...]:
    content = read_file(source.parent, source.name)
    hint = "name a YAML file that maps each agent to its prompt: `windu: {system: …}`"
    if isinstance(content, Problem):
        raise InputError(f"{source} cannot be read: {content.message}", hint=hint)
    document, problems = parse(source.name, content)
    if document is None:
        first = problems[-1]
        raise InputError(f"{source}:{first.span.line}: {first.message}", hint=first.hint or hint)
    if not isinstance(document.data, dict) or not document.data:
        raise InputError(f"{source} holds no mapping of agents to prompts", hint=hint)
    said: list[str] = []
    prompts = tuple(_prompt(document, name, said) for name in document.data)
    if said:
        problems_text = "\n".join(f"  {source.name}:{text}" for text in said)
        message = f"{source} cannot be taken over byte for byte\n{problems_text}"
        raise InputError(message, hint="nothing was written; mend the file (or a copy of it), and try again")
    return prompts


def _prompt(document: Document, name: str, said: list[str]) -> _Prompt:
    def say(text: str, *path: str | int) -> None:
        said.append(f"{document.line((name, *path))}: agent {name!r}: {text}")

    body = document.data[name]
    body = {"system": body} if isinstance(body, str) else body
    pattern = builtin_schema("agent")["properties"]["name"]["pattern"]
    if not re.fullmatch(pattern.removeprefix("^").removesuffix("$"), name):
        say(f"a name holds no blanks and none of {_NOT_IN_NAMES}")
    system = body.get("system") if isinstance(body, dict) else None
    if not isinstance(body, dict):
        say("it has neither a text nor a mapping with `system`")
    elif not isinstance(system, str):
        say("`system` is missing" if "system" not in body else "`system` is not a text", "system")
    elif not system:
        say("`system` is empty", "system")
    body = body if isinstance(body, dict) else {}
    model = body.get("model")
    known = [
        "system",
        "messages",
        "tokens",
        *(["model"] if model is None or (isinstance(model, str) and model) else []),
    ]
    return _Prompt(
        name=name,
        system=system if isinstance(system, str) else "",
        messages=tuple(_messages(body.get("messages"), say)),
        model=model if isinstance(model, str) and model else None,
        left=tuple(key for key in body if key not in known),
    )


def _messages(raw: Any, say: Any) -> Iterator[tuple[str, str]]:
    """Role and content of each message; says what cannot come back from a worked example as it is."""
    if raw is None:
        return
    if not isinstance(raw, list):
        say("`messages` is not a list", "messages")
        return
    for number, message in enumerate(raw):
        path, which = ("messages", number), f"message {number + 1}"
        if not isinstance(message, dict) or message.keys() != {"role", "content"}:
            say(f"{which} must have `role` and `content`, and nothing else", *path)
            continue
        expected = ("user", "assistant")[number % 2]
        role, content = message["role"], message["content"]
        if role != expected:
            say(f"{which} must be the {expected}'s: a user and an assistant speak in turn", *path)
        if not isinstance(content, str) or not content:
            say(f"the content of {which} is no text, or empty", *path)
        elif content.strip("\n") != content:
            where = "ends" if content.endswith("\n") else "begins"
            remedy = "; write `content: |-`, not `content: |`" if where == "ends" else ""
            say(f"{which} {where} with a line break, which a worked example does not keep{remedy}", *path)
        else:
            yield expected, content
    if len(raw) % 2:
        say("the last message has no answer: messages become worked examples, which are pairs", "messages")


# --- writing --------------------------------------------------------------------------------------------------------


def _project(prompts: Sequence[_Prompt], source: Path, root: Path, tokens: Mapping[str, int]) -> dict[str, bytes]:
    """The new project's own files; without `tokens` no budget cuts anything."""
    files = {CONFIG: _config(prompts, source, root)}
    agents, examples = {}, {}
    for prompt, stem in zip(prompts, _stems(prompts), strict=True):
        needed = tokens.get(prompt.name, _NO_LIMIT)
        agents[f"agents/{stem}.yaml"] = _agent(prompt, needed if needed > _BUDGET else None)
        if prompt.messages:
            examples[f"fewshot/{stem}.yaml"] = _fewshot(prompt)
    return {path: text.encode() for path, text in {**files, **agents, **examples}.items()}


def _config(prompts: Sequence[_Prompt], source: Path, root: Path) -> str:
    text = _MODELINE.format("", "project") + (
        f"# Taken over from {' '.join(source.name.split())}:\n"
        "# `promptforge build` gives the same prompts back, byte for byte.\n#\n"
        "# Next: move what several personas repeat into knowledge/ (a table is a list of facts), let their\n"
        "# `sections` print it, and see with `promptforge diff` what that does to each prompt.\n"
    )
    text += emit({"name": project_name(root), "budget": _BUDGET})
    models = dict.fromkeys(prompt.model for prompt in prompts if prompt.model)
    if not models:
        return text
    text += (
        "\n# Only the names of the models were known. Say of each where it answers, and above all its tier:\n"
        "# a `local` model may see private facts, a `cloud` model may not. Where the name does not say that it is\n"
        "# local, it is taken for a cloud model.\n"
    )
    return text + emit({"models": {name: _model(name) for name in models}})


def _model(name: str) -> dict[str, str]:
    """A model of which only the name is known: nobody's private facts leave the house by a guess."""
    tier = "local" if _LOCAL.search(name) else "cloud"
    return {"backend": "compatible", "base_url": "http://127.0.0.1:1337/v1", "tier": tier, "model": name}


def _agent(prompt: _Prompt, budget: int | None) -> str:
    body: dict[str, object] = {"name": prompt.name}
    if prompt.model:
        body["model"] = prompt.model
    if budget is not None:
        body["budget"] = -(-budget // 1000) * 1000
    sections: list[object] = ["persona"]
    if prompt.messages:
        sections.append({"fewshot": len(prompt.messages) // 2, "as": "messages", "required": True})
    return _MODELINE.format("../", "agent") + emit({**body, "persona": prompt.system, "sections": sections})


def _fewshot(prompt: _Prompt) -> str:
    pairs = zip(prompt.messages[::2], prompt.messages[1::2], strict=True)
    examples: list[object] = [
        {
            "id": f"{prompt.name}-{number}",
            "agents": [prompt.name],
            "user": _literal(user),
            "assistant": _literal(assistant),
        }
        for number, ((_, user), (_, assistant)) in enumerate(pairs, start=1)
    ]
    return _MODELINE.format("../", "fewshot") + emit({"examples": examples})


def _literal(text: str) -> str:
    """A text that renders to itself: what would start Jinja is printed by Jinja.

    >>> _literal("Dear {{ name }}")
    "Dear {{ '{{' }} name }}"
    """
    if not _STARTS_JINJA.search(text):
        return text
    return _NEEDS_JINJA.sub(lambda match: "{{ '" + match[0].replace("\r", r"\r") + "' }}", text)


def _stems(prompts: Sequence[_Prompt]) -> Iterator[str]:
    """A file name for each agent: its own name where every file system can hold it beside the others."""
    taken: set[str] = set()
    for number, prompt in enumerate(prompts, start=1):
        plain = prompt.name.isprintable() and prompt.name[0] not in ".-" and len(prompt.name.encode()) <= 100
        stem = unicodedata.normalize("NFC", prompt.name) if plain else f"agent-{number}"
        while unicodedata.normalize("NFC", stem.casefold()) in taken:
            stem += f"-{number}"
        taken.add(unicodedata.normalize("NFC", stem.casefold()))
        yield stem


# --- comparing ------------------------------------------------------------------------------------------------------


def _compile(root: Path, files: Mapping[str, bytes], today: datetime.date) -> Build:
    kept = {path: files[path] for path in sorted(files) if wanted(path)}
    return compile_project(Tree(root=root, files=kept), today=today, thorough=True)


def _not_kept(prompts: Sequence[_Prompt], build: Build) -> Iterator[str]:
    """The agents whose compiled prompt, written and read back, is not what was taken over."""
    document, _ = parse("agent_prompts.yaml", prompts_text(build.artifact).encode())
    compiled = document.data if document else {}
    for prompt in prompts:
        body = compiled.get(prompt.name, {})
        messages = tuple((message["role"], message["content"]) for message in body.get("messages", ()))
        if body.get("system") != prompt.system or messages != prompt.messages:
            yield prompt.name
