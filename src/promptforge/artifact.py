"""The artifact: the compiled prompts with their locks. Everything above makes one or reads one.

`agent_prompts.yaml` holds exactly what is sent; `agent_prompts.lock.json` beside it says where every byte came from;
`promptforge.lock` at the root, made to be committed, holds one digest for each prompt.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from promptforge.document import plain_value
from promptforge.emit import emit
from promptforge.files import digest_of
from promptforge.model import Cut, Prompt, Reader, Segment, written
from promptforge.source import Span
from promptforge.yamlio import parse

__all__ = [
    "Artifact",
    "Entry",
    "FactRecord",
    "SectionRecord",
    "agent_member",
    "agent_yaml",
    "committed_line",
    "committed_lock",
    "fact_member",
    "lock_member",
    "lock_text",
    "prompt_digest",
    "prompts_text",
    "read_artifact",
    "read_committed_lock",
    "read_entry",
    "reader_row",
    "record_values",
    "without",
]

LOCK_VERSION = 1
_SEGMENT = ["message", "start", "end", "first_line", "last_line", "section", "kind", "file", "line", "step", "facts"]


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


def prompts_text(artifact: Artifact) -> str:
    """agent_prompts.yaml: a mapping of agent to what is sent. No timestamp: the same inputs give the same bytes."""
    return "".join(agent_yaml(entry) for entry in artifact.entries.values()) or "{}\n"


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
        return head + emit({"version": LOCK_VERSION, "agents": {}})
    body = "".join(line for _, line in sorted(lines.items()))
    return f"{head}{emit({'version': LOCK_VERSION})}agents:\n{body}"


def committed_line(entry: Entry) -> str:
    """An agent's line of promptforge.lock."""
    return emit({entry.name: f"sha256:{prompt_digest(entry.enriched)}"}, indent=1)


def lock_text(artifact: Artifact, *, output: str, prompts: str) -> str:
    """agent_prompts.lock.json. `prompts` is the text of the artifact, `output` where it goes."""
    head = {
        "version": LOCK_VERSION,
        "promptforge": artifact.version,
        "name": artifact.name,
        "output": {"path": output, "sha256": digest_of(prompts)},
        "inputs": artifact.inputs,
        "tables": artifact.tables,
        "segment": _SEGMENT,
        "readers": [reader_row(reader) for reader in artifact.readers],
    }
    quote = _Quote()
    lines = [lock_member(key, value) for key, value in head.items()]
    lines += _members("facts", [fact_member(id_, fact) for id_, fact in artifact.facts.items()])
    lines += _members("agents", [agent_member(entry, quote) for entry in artifact.entries.values()])
    lines[0] = "{\n" + lines[0]
    lines[-1] += "\n}\n"
    return ",\n".join(lines)


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _members(key: str, members: list[str]) -> list[str]:
    """A mapping with one line a member, so that two locks can be compared, and one be made from the last.

    As lines to be joined with all the others: of so much text each join is a copy that is felt.
    """
    members = members or [""]
    members[0] = f'"{key}": {{\n{members[0]}'
    members[-1] += "\n}"
    return members


def lock_member(key: str, value: object) -> str:
    """A line of the lock."""
    return f"{_json(key)}: {_json(value)}"


def reader_row(reader: Reader) -> list[object]:
    """A reader as the lock keeps it."""
    return [reader.kind, reader.id, reader.span.file, reader.span.line, sorted(reader.facts), reader.digest]


def fact_member(id_: str, fact: FactRecord) -> str:
    """A fact's line of the lock."""
    # By hand: an encoder of its own for each of thousands of small lists takes three times as long.
    values = ",".join([f"{_column(column)}:{_value(value)}" for column, value in fact.values.items()])
    place = f"{encode_basestring(fact.file)},{fact.line},{encode_basestring(fact.level)}"
    return f"{encode_basestring(id_)}: [{place},{{{values}}}]"


def _value(value: str | list[str] | None) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    return "null" if value is None else f"[{','.join(map(encode_basestring, value))}]"


class _Quote(dict[str | Sequence[str], str]):
    """Texts and lists of texts as JSON, each encoded once: a fact's id stands in the segments of many agents."""

    def __missing__(self, value: str | Sequence[str]) -> str:
        made = encode_basestring(value) if value.__class__ is str else f"[{','.join(map(self.__getitem__, value))}]"
        self[value] = made
        return made


_column = cache(encode_basestring)
"""Columns as JSON: a project has few."""


def agent_member(entry: Entry, quote: "_Quote | None" = None) -> str:
    """An agent's line of the lock; the segments, which are nearly all of it, written by hand."""
    quote = _Quote() if quote is None else quote
    settings = {
        "file": entry.file,
        "role": entry.role,
        "model": entry.model,
        "tier": entry.tier,
        "clearance": entry.clearance,
        "tokenizer": entry.tokenizer,
        "exact": entry.exact,
        "margin": entry.margin,
        "budget": entry.budget_tokens,
        "inputs": entry.inputs,
        **({"carried": True} if entry.carried else {}),
        "sections": [[s.kind, s.name, s.label, s.file, s.line, s.priority, s.required] for s in entry.sections],
    }
    variants = ",".join(f"{_json(name)}:{_prompt_json(prompt, quote)}" for name, prompt in entry.variants.items())
    return f'{_json(entry.name)}: {_json(settings)[:-1]},"variants":{{{variants}}}}}'


def _prompt_json(prompt: Prompt, quote: _Quote) -> str:
    rest = {
        "tokens": prompt.tokens,
        "sha256": prompt_digest(prompt),
        "left_out": prompt.cuts,
        "filtered": prompt.filtered,
    }
    segments = ",".join(
        [
            f'[{message},{start},{end},{first},{last},{section},"{kind}",{quote[file]},{line},{step},{quote[facts]}]'
            for message, start, end, first, last, section, kind, file, line, step, facts in prompt.segments
        ]
    )
    return f'{_json(rest)[:-1]},"segments":[{segments}]}}'


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


def read_artifact(prompts: bytes, lock: bytes) -> Artifact:
    """A build from its two files.

    Raises ValueError when they are damaged, of another version, or do not belong together.
    """
    document, problems = parse("agent_prompts.yaml", prompts)
    try:
        raw = json.loads(lock)
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"the lock is not JSON: {problem}") from problem
    if not isinstance(raw, dict) or raw.get("version") != LOCK_VERSION:
        raise ValueError("the lock is of another version of promptforge")
    try:
        if raw["output"]["sha256"] != digest_of(prompts):
            raise ValueError("the prompts were changed after they were built")
        if document is None and prompts.strip() != b"{}":
            raise ValueError(f"the prompts cannot be read: {problems[0].message}")
        return _artifact(raw, document.data if document else {})
    except (KeyError, TypeError, IndexError, AttributeError) as problem:
        raise ValueError(f"the lock is damaged: {problem!r}") from problem


def _artifact(raw: Mapping[str, Any], data: Mapping[str, Any]) -> Artifact:
    facts = {
        id_: FactRecord(file=file, line=line, level=level, values=values)
        for id_, (file, line, level, values) in raw["facts"].items()
    }
    return Artifact(
        name=raw["name"],
        version=raw["promptforge"],
        entries={name: read_entry(name, entry, data[name]) for name, entry in raw["agents"].items()},
        facts=facts,
        tables=raw["tables"],
        readers=tuple(
            Reader(kind=kind, id=id_, span=Span(file=file, line=line), facts=frozenset(ids), digest=digest)
            for kind, id_, file, line, ids, digest in raw["readers"]
        ),
        inputs=raw["inputs"],
    )


def read_entry(name: str, raw: Mapping[str, Any], sent: Mapping[str, Any]) -> Entry:
    """An agent from its line of the lock and its part of agent_prompts.yaml, both as plain data."""
    messages = tuple((m["role"], m["content"]) for m in sent.get("messages", ()))
    variants = {}
    for variant, prompt in raw["variants"].items():
        segments = tuple(Segment._make((*s[:-1], tuple(s[-1]))) for s in prompt["segments"])
        system = sent["system"] if variant == "enriched" else _base_text(sent["system"], raw)
        variants[variant] = Prompt(
            system=system,
            messages=messages if variant == "enriched" else (),
            tokens=prompt["tokens"],
            segments=segments,
            cuts=tuple(Cut(*cut) for cut in prompt["left_out"]),
            filtered={int(number): n for number, n in prompt["filtered"].items()},
        )
    return Entry(
        name=name,
        role=raw["role"],
        file=raw["file"],
        model=raw["model"],
        tier=raw["tier"],
        clearance=raw["clearance"],
        tokenizer=raw["tokenizer"],
        exact=raw["exact"],
        margin=raw["margin"],
        budget_tokens=raw["budget"],
        inputs=raw["inputs"],
        sections=tuple(
            SectionRecord(kind=k, name=n, label=t, file=f, line=li, priority=p, required=r)
            for k, n, t, f, li, p, r in raw["sections"]
        ),
        variants=variants,
        carried=raw.get("carried", False),
    )


def _base_text(system: str, raw: Mapping[str, Any]) -> str:
    """The persona is a run of the system prompt, but for the line breaks that set it apart there or here."""
    content = system.encode("utf-8", "surrogatepass")
    personas = [s for s in map(Segment._make, raw["variants"]["enriched"]["segments"]) if s.kind == "persona"]
    sizes = [segment[2] - segment[1] for segment in raw["variants"]["base"]["segments"]]
    runs = [content[s.start : s.end][-size:].rjust(size, b"\n") for s, size in zip(personas, sizes, strict=True)]
    return b"".join(runs).decode("utf-8", "surrogatepass")


def read_committed_lock(content: bytes) -> Mapping[str, str]:
    """Agent to digest. Raises ValueError when the file is not a promptforge.lock."""
    document, problems = parse("promptforge.lock", content)
    data = document.data if document and isinstance(document.data, dict) else {}
    agents = data.get("agents")
    if not isinstance(agents, dict) or data.get("version") != LOCK_VERSION:
        reason = problems[0].message if problems else "it has no agents, or is of another version"
        raise ValueError(reason)
    return {name: str(digest) for name, digest in agents.items()}
