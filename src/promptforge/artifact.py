"""The artifact: the compiled prompts. Everything above makes one or reads one.

`agent_prompts.yaml` holds exactly what is sent; `agent_prompts.lock.json` beside it says where every byte came from
(`lock.py`); `promptforge.lock` at the root, made to be committed, holds one digest for each prompt.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from promptforge.document import plain_value
from promptforge.emit import emit
from promptforge.files import digest_of
from promptforge.model import Prompt, Reader, written
from promptforge.yamlio import parse

__all__ = [
    "Artifact",
    "Entry",
    "FactRecord",
    "SectionRecord",
    "agent_yaml",
    "committed_line",
    "committed_lock",
    "prompt_digest",
    "prompts_text",
    "read_committed_lock",
    "record_values",
    "without",
]

_COMMITTED_VERSION = 1


class FactRecord(NamedTuple):
    """A fact as the lock keeps it."""

    file: str
    line: int
    level: str
    values: Mapping[str, str | list[str] | None]
    """As written, so that 1.10 and 1.1 differ."""


class SectionRecord(NamedTuple):
    """A section as the lock keeps it."""

    kind: str
    name: str
    label: str
    file: str
    line: int
    priority: int
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One agent in the artifact."""

    name: str
    role: str | None
    file: str
    model: str | None
    tier: str | None
    clearance: str
    tokenizer: str
    exact: bool
    margin: str
    """How far the counts may be off; empty when exact."""
    budget_tokens: int
    inputs: Mapping[str, str]
    """What shapes its prompt besides facts: name (`agents/windu.yaml`, `model opus`) to digest."""
    sections: tuple[SectionRecord, ...]
    variants: Mapping[str, Prompt]
    """`base` and `enriched`."""
    broken: bool = False
    """Whether a part of it could not be made, so that it must not be used."""
    carried: bool = False
    """Whether it stands as an earlier build left it (`build --agent`)."""

    @property
    def enriched(self) -> Prompt:
        """The prompt that is sent."""
        return self.variants["enriched"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A whole build."""

    name: str
    version: str
    """Of promptforge."""
    entries: Mapping[str, Entry]
    facts: Mapping[str, FactRecord]
    """By id: `ports/mini:1337`."""
    tables: Mapping[str, str]
    """Table to the digest of what shapes it: key and schema."""
    readers: tuple[Reader, ...] = ()
    """The examples and templates, with the facts that they rest on."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """File to sha256."""

    @property
    def private(self) -> bool:
        """Whether anything private is inside."""
        return any(fact.level == "private" for fact in self.facts.values())


def without(prompt: Prompt, sections: Iterable[int]) -> Prompt:
    """The prompt without some of its sections, by their number; nothing is cut or put back in their place."""
    dropped = frozenset(sections)
    kept = [segment for segment in prompt.segments if segment.section not in dropped]
    system = prompt.system.encode("utf-8", "surrogatepass")
    text = b"".join(system[s.start : s.end] for s in kept if s.message == 0)
    if kept[:1] != list(prompt.segments[:1]):
        text = text.lstrip(b"\n")  # what set it apart from the text before it
    messages = tuple(prompt.messages[s.message - 1] for s in kept if s.message)
    return replace(prompt, system=text.decode("utf-8", "surrogatepass"), messages=messages, segments=(), tokens=0)


def prompt_digest(prompt: Prompt) -> str:
    """The digest of what is sent: that of the system prompt, or with messages that of both as JSON."""
    return digest_of(json.dumps([prompt.system, prompt.messages]) if prompt.messages else prompt.system)


# --- writing --------------------------------------------------------------------------------------------------------


def prompts_text(artifact: Artifact, made: Mapping[str, str] | None = None) -> str:
    """agent_prompts.yaml: a mapping of agent to what is sent. No timestamp: the same inputs give the same bytes.

    `made` are agents' parts that are there already.
    """
    parts = made or {}
    return "".join(parts.get(name) or agent_yaml(entry) for name, entry in artifact.entries.items()) or "{}\n"


def agent_yaml(entry: Entry) -> str:
    """An agent's part of agent_prompts.yaml."""
    prompt = entry.enriched
    body: dict[str, object] = {"system": prompt.system}
    if prompt.messages:
        body["messages"] = [{"role": role, "content": content} for role, content in prompt.messages]
    if entry.model is not None:
        body["model"] = entry.model
    return emit({entry.name: {**body, "tokens": prompt.tokens}})


def committed_lock(artifact: Artifact, *, others: Mapping[str, str] | None = None) -> str:
    """promptforge.lock: one line for each agent; `others` are digests of agents that are not in the artifact."""
    head = "# The digest of each prompt, written by promptforge build. Commit it: build --check compares with it.\n"
    lines = {name: emit({name: digest}, indent=1) for name, digest in (others or {}).items()}
    lines.update((name, committed_line(entry)) for name, entry in artifact.entries.items())
    if not lines:
        return head + emit({"version": _COMMITTED_VERSION, "agents": {}})
    body = "".join(line for _, line in sorted(lines.items()))
    return f"{head}{emit({'version': _COMMITTED_VERSION})}agents:\n{body}"


def committed_line(entry: Entry) -> str:
    """An agent's line of promptforge.lock."""
    return emit({entry.name: f"sha256:{prompt_digest(entry.enriched)}"}, indent=1)


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def record_values(values: Mapping[str, Any]) -> dict[str, str | list[str] | None]:
    """A fact's values as the lock keeps them."""
    return {
        column: value
        if value is None or (value.__class__ is str and value[:1] not in _MAY_NEED_QUOTES)
        else ([_record(v) for v in value] if isinstance(value, list) else _record(value))
        for column, value in values.items()
    }


def _record(value: object) -> str:
    """As written; a text that looks like a number, true, false or null in quotes, since `where` tells them apart."""
    if not isinstance(value, str):
        return written(value)
    quotable = value[:1] in _MAY_NEED_QUOTES and value
    return _json(value) if quotable and (value[0] == '"' or plain_value(value) is not value) else value


_MAY_NEED_QUOTES = '"-0123456789tfn'


# --- reading --------------------------------------------------------------------------------------------------------


def read_committed_lock(content: bytes) -> Mapping[str, str]:
    """Agent to digest. Raises ValueError when the file is not a promptforge.lock."""
    document, problems = parse("promptforge.lock", content)
    data = document.data if document and isinstance(document.data, dict) else {}
    agents = data.get("agents")
    if not isinstance(agents, dict) or data.get("version") != _COMMITTED_VERSION:
        reason = problems[0].message if problems else "it has no agents, or is of another version"
        raise ValueError(reason)
    return {name: str(digest) for name, digest in agents.items()}
