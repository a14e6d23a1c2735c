"""The ways to compile an agent that are compared: base, enriched, ablations; and for a model that is not its own."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from promptforge.artifact import Entry, SectionRecord, without
from promptforge.compiler.build import Build, compile_part
from promptforge.compiler.load import load
from promptforge.errors import UsageError
from promptforge.files import digest_of
from promptforge.model import Model, Prompt
from promptforge.source import did_you_mean, errors

__all__ = ["Compiled", "check_variant", "compile_for", "names_of", "prompt_of", "section_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """An agent as it is compiled for one model, or why it cannot be asked there."""

    entry: Entry | None
    model: Model
    barred: str = ""


def compile_for(build: Build, agents: Iterable[str], model: Model | None) -> dict[str, Compiled]:
    """The agents as compiled for a model; for None each as it is, for its own.

    Raises UsageError when an agent has no model and none is named.
    """
    compiled: dict[str, Compiled] = {}
    anew = []
    for name in agents:
        agent = build.project.agents[name]
        wanted = model or agent.model
        if wanted is None:
            known = ", ".join(build.project.config.models) or "none yet"
            hint = f"name one: promptforge bench --model NAME; the models of promptforge.yaml are: {known}"
            raise UsageError(f"the agent '{name}' has no model", hint=hint)
        if agent.privacy == "local" and wanted.tier == "cloud":
            why = f"agent '{name}' is local by privacy, and {wanted.name} is in the cloud"
            compiled[name] = Compiled(entry=None, model=wanted, barred=why)
        elif wanted == agent.model:
            compiled[name] = Compiled(entry=build.artifact.entries[name], model=wanted)
        else:
            anew.append(replace(agent, model=wanted))
    if anew:
        assert model is not None  # each of them got it
        compiled |= _compiled_anew(build, {agent.name: agent for agent in anew}, model)
    return compiled


def _compiled_anew(build: Build, agents: Mapping[str, object], model: Model) -> dict[str, Compiled]:
    loaded, _ = load(build.tree, known=True)
    digests = {path: digest_of(content) for path, content in build.tree.files.items()}
    project = replace(build.project, agents=agents)  # type: ignore[arg-type]  # agents as linked, with another model
    part = compile_part(project, loaded, root=build.tree.root, digests=digests)
    compiled = {}
    for name, entry in part.entries.items():
        said = [d.message for d in errors(part.diagnostics) if f"'{name}'" in d.message]
        broken = f"it cannot be compiled for {model.name}: {said[0] if said else 'see promptforge check'}"
        compiled[name] = Compiled(entry=entry, model=model, barred=broken if entry.broken else "")
    return compiled


# --- ablations ------------------------------------------------------------------------------------------------------


def prompt_of(entry: Entry, variant: str) -> Prompt:
    """The prompt of a variant: `base`, `enriched`, `without X` or `only X`; the persona is always in."""
    if variant in entry.variants:
        return entry.variants[variant]
    kind, _, name = variant.partition(" ")
    numbered = [(n, s) for n, s in enumerate(entry.sections) if s.kind != "persona"]
    dropped = [n for n, s in numbered if (name in _names(s)) == (kind == "without")]
    return without(entry.enriched, dropped) if dropped else entry.enriched


def names_of(entries: Iterable[Entry]) -> tuple[str, ...]:
    """What can be left out of them: `few-shot`, tables, templates."""
    names = dict.fromkeys(_names(s)[0] for entry in entries for s in entry.sections if s.kind != "persona")
    return tuple(names)


def check_variant(variant: str, entries: Collection[Entry]) -> str:
    """The variant in its usual form. Raises UsageError when it is none, or when no agent has such a section."""
    kind, _, name = variant.strip().partition(" ")
    if variant in ("base", "enriched"):
        return variant
    if kind not in ("without", "only") or not name:
        hint = "base, enriched, 'without few-shot', 'only ports', …"
        raise UsageError(f"no variant '{variant}'", hint=hint)
    sections = [s for entry in entries for s in entry.sections if s.kind != "persona"]
    known = {word: _names(s)[0] for s in sections for word in _names(s)}
    if name not in known:
        near = did_you_mean(name, known)
        hint = near if near.startswith("did you mean") else did_you_mean(name, set(known.values()))
        raise UsageError(f"no agent that is asked has a section '{name}'", hint=hint)
    return f"{kind} {known[name]}"


def section_name(section: SectionRecord) -> str:
    """How a section is usually called: `few-shot`, a table, a template."""
    return _names(section)[0]


def _names(section: SectionRecord) -> Sequence[str]:
    """How a section may be called, the usual name first."""
    if section.kind == "fewshot":
        return ("few-shot", "fewshot", "examples", section.label)
    return (section.name, section.label)
