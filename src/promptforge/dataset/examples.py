"""Rows that somebody wrote whole: the worked examples, and the attacks with their look-alikes. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from promptforge.dataset.phrasings import Pair
from promptforge.dataset.rows import Kind
from promptforge.dataset.seeds import Learner, Seed
from promptforge.document import Document, Path
from promptforge.model import Example, Text, written
from promptforge.schema import check_shape
from promptforge.source import Diagnostic, Span, did_you_mean

__all__ = ["Attack", "read_jailbreak", "seeds_of_attacks", "seeds_of_examples"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """An attack with its refusal, or an honest question beside it with its answer."""

    id: str
    category: Literal["refusal", "benign"]
    like: str
    """The kind of attack."""
    agents: tuple[str, ...]
    """For whom; empty means all."""
    user: Text
    assistant: Text
    span: Span


def read_jailbreak(
    documents: Iterable[Document], agents: Collection[str]
) -> tuple[Mapping[str, tuple[Attack, ...]], list[Diagnostic]]:
    """By file the attacks and their look-alikes, and what is wrong with them. An entry that is wrong is left out."""
    found: list[Diagnostic] = []
    made: dict[str, tuple[Attack, ...]] = {}
    for document in documents:
        problems, wrong = check_shape(document, "jailbreak")
        found += problems
        if not isinstance(document.data, dict) or any(len(part) < 2 for part in wrong):
            continue
        bad = {part[:2] for part in wrong}
        entries = list(_entries(document, bad, agents, found))
        made[document.file] = tuple(entries)
        found += _one_sided(document, entries)
    return made, found


_LISTS: Sequence[tuple[str, Literal["refusal", "benign"]]] = (("refusals", "refusal"), ("benign", "benign"))


def _entries(
    document: Document, wrong: Collection[Path], agents: Collection[str], found: list[Diagnostic]
) -> Iterator[Attack]:
    seen: dict[str, Span] = {}
    for key, category in _LISTS:
        for number, entry in enumerate(document.data.get(key, ())):
            path: Path = (key, number)
            if path in wrong:
                continue
            place = document.span((*path, "id"))
            if first := seen.get(entry["id"]):
                message, hint = f"a second entry has the id '{entry['id']}'", "give one of them another id"
                related = ((first, "first here"),)
                found.append(Diagnostic(code="PF806", span=place, message=message, hint=hint, related=related))
                continue
            seen[entry["id"]] = place
            if _known(document, path, entry, agents, found):
                yield _attack(document, path, entry, category, place)


def _known(
    document: Document, path: Path, entry: Mapping[str, Any], agents: Collection[str], found: list[Diagnostic]
) -> bool:
    named = entry.get("agents", [])
    unknown = [(n, name) for n, name in enumerate(_many(named)) if name not in agents]
    for number, name in unknown:
        at = (*path, "agents", *([number] if isinstance(named, list) else []))
        hint = did_you_mean(name, agents)
        found.append(Diagnostic(code="PF304", span=document.span(at), message=f"no agent '{name}'", hint=hint))
    return not unknown


def _attack(
    document: Document, path: Path, entry: Mapping[str, Any], category: Literal["refusal", "benign"], place: Span
) -> Attack:
    texts = [
        Text(written(entry[part]).strip(), document.file, (*path, part), document.line((*path, part)))
        for part in ("user", "assistant")
    ]
    return Attack(
        id=str(entry["id"]),
        category=category,
        like=str(entry["like"]),
        agents=_many(entry.get("agents", [])),
        user=texts[0],
        assistant=texts[1],
        span=place,
    )


def _many(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _one_sided(document: Document, entries: Sequence[Attack]) -> Iterator[Diagnostic]:
    refusals = sum(1 for entry in entries if entry.category == "refusal")
    benign = len(entries) - refusals
    if refusals and not benign:
        message = f"{refusals} attacks, and no honest question beside them"
        hint = "write look-alikes under `benign:`: a model that is only taught to refuse refuses everything"
        yield Diagnostic(code="PF807", span=document.span(("refusals",), key=True), message=message, hint=hint)


# --- seeds ------------------------------------------------------------------------------------------------------------


def seeds_of_examples(examples: Iterable[Example], learner: Learner) -> Iterator[Seed]:
    """The worked examples that are for an agent, whether or not its prompt has room for them."""
    for example in examples:
        if not example.agents or learner.name in example.agents:
            pair = _one(example.user, example.assistant, f"example {example.id}")
            topics = frozenset(map(written, example.tags))
            yield _seed("domain", "example", pair, learner, example.id, example.span, topics)


def seeds_of_attacks(attacks: Iterable[Attack], learner: Learner) -> Iterator[Seed]:
    """The attacks that an agent is to refuse, and the look-alikes that it is to answer."""
    for attack in attacks:
        if not attack.agents or learner.name in attack.agents:
            pair = _one(attack.user, attack.assistant, f"{attack.like}: {attack.id}")
            yield _seed("jailbreak", attack.category, pair, learner, attack.id, attack.span, frozenset())


def _one(ask: Text, answer: Text, name: str) -> Pair:
    texts = [text._replace(source=text.source.strip()) for text in (ask, answer)]
    return Pair((texts[0],), (texts[1],), (name,))


def _seed(
    kind: Kind, category: str, pair: Pair, learner: Learner, name: str, span: Span, topics: frozenset[str]
) -> Seed:
    return Seed(
        kind=kind,
        category=category,
        direction=name,
        learner=learner,
        pair=pair,
        names={},
        file=span.file,
        line=span.line,
        topics=topics,
    )
