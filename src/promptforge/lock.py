"""agent_prompts.lock.json: where every byte of the artifact came from. Written by hand, read by `json`.

What can be told from the rest is not written. The rows of a table follow each other, each on a line of its own, and
stand where their facts do; a heading rests on the rows below it. docs/design/lock.md says it for other readers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from promptforge.artifact import Artifact, Entry, FactRecord, SectionRecord, agent_yaml, prompt_digest
from promptforge.files import digest_of
from promptforge.model import Cut, Prompt, Reader, Segment
from promptforge.source import Span
from promptforge.yamlio import parse

__all__ = [
    "Place",
    "Quote",
    "Texts",
    "agent_member",
    "fact_member",
    "lock_member",
    "lock_text",
    "place_in",
    "read_artifact",
    "read_entry",
    "reader_row",
    "texts_of",
]

LOCK_VERSION = 2
_SEGMENT = ["message", "start", "end", "first_line", "last_line", "section", "kind", "file", "line", "step", "facts"]

Place = Callable[[str], tuple[str, int] | None]
"""By its id the file and line of a fact; nothing where there is none."""


def place_in(facts: Mapping[str, FactRecord]) -> Place:
    """Where the facts of an artifact stand."""
    return {id_: (fact.file, fact.line) for id_, fact in facts.items()}.get


# --- writing --------------------------------------------------------------------------------------------------------


class Texts(NamedTuple):
    """An agent's parts of the two files."""

    prompt: str
    lock: str


def texts_of(entry: Entry, place: Place, quote: "Quote") -> Texts:
    """An agent's parts of the two files."""
    return Texts(agent_yaml(entry), agent_member(entry, place, quote))


def lock_text(artifact: Artifact, *, output: str, prompts: str, texts: Mapping[str, Texts] | None = None) -> str:
    """agent_prompts.lock.json. `prompts` is the text of the artifact, `output` where it goes.

    `texts` are by agent what was made already, with the facts as they stand in the artifact.
    """
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
    quote, place = Quote(), place_in(artifact.facts)
    lines = [lock_member(key, value) for key, value in head.items()]
    lines += _members("facts", [fact_member(id_, fact) for id_, fact in artifact.facts.items()])
    made = texts or {}
    agents = [made[n].lock if n in made else agent_member(entry, place, quote) for n, entry in artifact.entries.items()]
    lines += _members("agents", agents)
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


class Quote(dict[str | Sequence[str] | None, str]):
    """Texts and lists of texts as JSON, each encoded once: a fact's id stands in the segments of many agents."""

    def __missing__(self, value: str | Sequence[str] | None) -> str:
        if value is None:
            made = "null"
        else:
            made = encode_basestring(value) if value.__class__ is str else f"[{','.join(map(self.__getitem__, value))}]"
        self[value] = made
        return made


_column = cache(encode_basestring)
"""Columns as JSON: a project has few."""


def agent_member(entry: Entry, place: Place, quote: Quote | None = None) -> str:
    """An agent's line of the lock. `place` says where the facts stand by the same lock."""
    quote = Quote() if quote is None else quote
    inputs = ",".join([f'{quote[name]}:"{digest}"' for name, digest in entry.inputs.items()])
    sections = ",".join(
        [
            f'["{kind}",{quote[name]},{quote[label]},{quote[file]},{line},{priority},{_bool(required)}]'
            for kind, name, label, file, line, priority, required in entry.sections
        ]
    )
    variants = ",".join([f'"{name}":{_prompt(prompt, place, quote)}' for name, prompt in entry.variants.items()])
    return (
        f'{encode_basestring(entry.name)}: {{"file":{quote[entry.file]},"role":{quote[entry.role]},'
        f'"model":{quote[entry.model]},"tier":{quote[entry.tier]},"clearance":{quote[entry.clearance]},'
        f'"tokenizer":{quote[entry.tokenizer]},"exact":{_bool(entry.exact)},"margin":{quote[entry.margin]},'
        f'"budget":{entry.budget_tokens},"inputs":{{{inputs}}},{_CARRIED if entry.carried else ""}'
        f'"sections":[{sections}],"variants":{{{variants}}}}}'
    )


_CARRIED = '"carried":true,'


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _prompt(prompt: Prompt, place: Place, quote: Quote) -> str:
    filtered = ",".join([f'"{section}":{count}' for section, count in prompt.filtered.items()])
    left_out = _json(prompt.cuts) if prompt.cuts else "[]"
    return (
        f'{{"tokens":{prompt.tokens},"sha256":"{prompt_digest(prompt)}","left_out":{left_out},'
        f'"filtered":{{{filtered}}},"segments":[{",".join(_segments(prompt, place, quote))}]}}'
    )


def _segments(prompt: Prompt, place: Place, quote: Quote) -> list[str]:
    """The segments, rows that follow each other as one member."""
    cut = _cut_rows(prompt.cuts)
    members: list[str] = []
    rows: list[str] = []
    ids: list[str] = []
    held: Segment | None = None  # until it is known what rows follow it
    at = to = into = part = -1  # the message, end, last line and section of the segment before
    for segment in prompt.segments:
        message, start, end, first, last, section, kind, file, line, step, facts = segment
        follows = start == to and first == into + 1 and section == part and message == at
        if follows and kind == "row" and first == last and not step and facts and place(facts[0]) == (file, line):
            rows.append(f"{end - start},{quote[facts if len(facts) > 1 else facts[0]]}")
            ids.append(facts[0])
        else:
            if held:
                members += _members_of(held, rows, ids, cut, quote)
            held, rows, ids = segment, [], []
        at, to, into, part = message, end, last, section
    return members + _members_of(held, rows, ids, cut, quote) if held else []


def _members_of(
    segment: Segment, rows: Sequence[str], ids: Sequence[str], cut: Mapping[int, list[str]], quote: Quote
) -> list[str]:
    """A segment, and the rows that follow it."""
    message, start, end, first, last, section, kind, file, line, step, facts = segment
    rests_on_rows = rows and kind == "heading" and facts == (*ids, *cut.get(section, ()))
    rests_on = "null" if rests_on_rows else quote[facts]
    own = f'[{message},{start},{end},{first},{last},{section},"{kind}",{quote[file]},{line},{step},{rests_on}]'
    return [own, f'{{"rows":[{",".join(rows)}]}}'] if rows else [own]


def _cut_rows(cuts: Sequence[Cut]) -> Mapping[int, list[str]]:
    """By section what the budget cut, in the order in which it would have stood: the last row goes first."""
    found: dict[int, list[str]] = {}
    for cut in reversed(cuts):
        if cut.why == "budget":
            found.setdefault(cut.section, []).append(cut.what)
    return found


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
    place = place_in(facts)
    return Artifact(
        name=raw["name"],
        version=raw["promptforge"],
        entries={name: read_entry(name, entry, data[name], place) for name, entry in raw["agents"].items()},
        facts=facts,
        tables=raw["tables"],
        readers=tuple(
            Reader(kind=kind, id=id_, span=Span(file=file, line=line), facts=frozenset(ids), digest=digest)
            for kind, id_, file, line, ids, digest in raw["readers"]
        ),
        inputs=raw["inputs"],
    )


def read_entry(name: str, raw: Mapping[str, Any], sent: Mapping[str, Any], place: Place) -> Entry:
    """An agent from its line of the lock and its part of agent_prompts.yaml, both as plain data.

    `place` says where the facts stand by the same lock.
    """
    messages = tuple((m["role"], m["content"]) for m in sent.get("messages", ()))
    cuts = {variant: tuple([Cut(*cut) for cut in prompt["left_out"]]) for variant, prompt in raw["variants"].items()}
    segments = {v: _read_segments(one["segments"], cuts[v], place) for v, one in raw["variants"].items()}
    variants = {}
    for variant, prompt in raw["variants"].items():
        is_sent = variant == "enriched"
        variants[variant] = Prompt(
            system=sent["system"] if is_sent else _base_text(sent["system"], segments),
            messages=messages if is_sent else (),
            tokens=prompt["tokens"],
            segments=segments[variant],
            cuts=cuts[variant],
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


def _read_segments(members: Sequence[Any], cuts: Sequence[Cut], place: Place) -> tuple[Segment, ...]:
    """The segments; raises TypeError, IndexError, KeyError or ValueError where the members are damaged."""
    cut = _cut_rows(cuts) if cuts else {}
    made: list[Segment] = []
    for member in members:
        if member.__class__ is not dict:
            facts = member[-1]
            made.append(Segment._make((*member[:-1], None if facts is None else tuple(facts))))
            continue
        rows, above = member["rows"], made[-1]
        message, _, at, _, line, section, *_ = above
        for size, named in zip(rows[::2], rows[1::2], strict=True):
            facts = (named,) if named.__class__ is str else tuple(named)
            if (stands := place(facts[0])) is None:
                raise KeyError(facts[0])
            line, start, at = line + 1, at, at + size
            made.append(Segment(message, start, at, line, line, section, "row", *stands, 0, facts))
        if above.facts is None:
            number = len(made) - len(rows) // 2
            rests_on = (*[row.facts[0] for row in made[number:]], *cut.get(section, ()))
            made[number - 1] = above._replace(facts=rests_on)
    if any(segment.facts is None for segment in made):
        raise ValueError("the lock is damaged: a heading without rows")
    return tuple(made)


def _base_text(system: str, segments: Mapping[str, Sequence[Segment]]) -> str:
    """The persona is a run of the system prompt, but for the line breaks that set it apart there or here."""
    content = system.encode("utf-8", "surrogatepass")
    personas = [segment for segment in segments["enriched"] if segment.kind == "persona"]
    sizes = [segment.end - segment.start for segment in segments["base"]]
    runs = [content[s.start : s.end][-size:].rjust(size, b"\n") for s, size in zip(personas, sizes, strict=True)]
    return b"".join(runs).decode("utf-8", "surrogatepass")
