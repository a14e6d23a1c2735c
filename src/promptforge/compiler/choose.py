"""The third stage: which facts and examples each section of an agent holds, and which its model may not see."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from promptforge.model import (
    LEVELS,
    Agent,
    Condition,
    Config,
    Cut,
    Example,
    Fact,
    Project,
    Section,
    Table,
    canonical,
    written,
)
from promptforge.source import Diagnostic, Span

__all__ = ["Chooser", "Chosen", "clearance_of", "leak"]


class Chosen(NamedTuple):
    """What a section holds, before the budget."""

    section: Section
    facts: tuple[Fact, ...] = ()
    through: tuple[tuple[str, ...], ...] = ()
    """For each fact the ids of the facts that its `where` went through; empty when it went through none."""
    columns: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    """For this agent and with these tags, in order; the first `count` that its model may see are taken."""
    cuts: tuple[Cut, ...] = ()
    filtered: int = 0


def clearance_of(agent: Agent, config: Config) -> str:
    """The most sensitive level that the agent's prompt may hold.

    An agent without a model may end up anywhere, so it gets the lower of the tiers, unless it is local by privacy.
    """
    if agent.model is not None:
        return config.clearance[agent.model.tier]
    if agent.privacy == "local":
        return config.clearance["local"]
    return min(config.clearance.values(), key=lambda level: LEVELS[level])


def leak(fact: Fact, agent: Agent, clearance: str, through: str, span: Span) -> Diagnostic:
    """A fact that cannot be left out of a prompt whose model may not see it: the path from the one to the other."""
    who = f"its model '{agent.model.name}' ({agent.model.tier})" if agent.model else "an agent without a model"
    message = (
        f"{fact.table} '{fact.key}' is {fact.level}, but reaches agent '{agent.name}' through {through}; "
        f"{who} may see {clearance} facts at most"
    )
    hint = "take it out of there, give the agent a local model, or change the fact's sensitivity"
    related = ((fact.span, f"the {fact.level} fact"), (Span(file=agent.file), f"agent '{agent.name}'"))
    return Diagnostic(code="PF501", span=span, message=message, hint=hint, related=related)


class _Path:
    """The values that a `where` path gives for each fact of a table, indexed."""

    def __init__(self, table: Table, steps: Sequence[str], tables: Mapping[str, Table]) -> None:
        self.positions: dict[object, list[int]] = {}
        self.through: dict[int, tuple[Fact, ...]] = {}
        kind = _kind_at(table, steps, tables)
        for position, fact in enumerate(table.facts):
            values, through = _follow(fact, table, steps, tables)
            if through:
                self.through[position] = through
            for value in values:
                found = self.positions.setdefault(canonical(value, kind), [])
                if not found or found[-1] != position:
                    found.append(position)
        self.kind = kind


def _kind_at(table: Table, steps: Sequence[str], tables: Mapping[str, Table]) -> str:
    for step in steps[:-1]:
        table = tables[table.columns[step].ref]
    return table.kind(steps[-1])


def _follow(
    fact: Fact, table: Table, steps: Sequence[str], tables: Mapping[str, Table]
) -> tuple[list[object], tuple[Fact, ...]]:
    value = fact.values.get(steps[0])
    values = value if isinstance(value, list) else [value]
    if len(steps) == 1:
        return values, ()
    target = tables[table.columns[steps[0]].ref]
    reached: list[object] = []
    through: list[Fact] = []
    for one in values:
        other = target.by_key.get(written(one)) if one is not None else None
        if other is None:
            reached.append(None)
            continue
        further, facts = _follow(other, target, steps[1:], tables)
        reached.extend(further)
        through.extend((other, *facts))
    return reached, tuple(through)


class Chooser:
    """Chooses for the agents of one project; what it looks up once serves all of them."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._paths: dict[tuple[str, tuple[str, ...]], _Path] = {}
        self._highest = {t.name: max((LEVELS[f.level] for f in t.facts), default=0) for t in project.tables.values()}
        """By table the level of its most sensitive fact."""
        self._sets: dict[tuple[str, ...], int] = {}
        """The sets of columns that facts have, numbered."""
        self._columns_of: dict[str, dict[str, int]] = {}
        self._defaults: dict[tuple[object, ...], tuple[str, ...]] = {}
        self._examples: dict[str, list[Example]] = {}
        for example in project.examples:
            for name in example.agents or ("",):
                self._examples.setdefault(name, []).append(example)
        self._order = {example.id: number for number, example in enumerate(project.examples)}

    def choose(self, agent: Agent, clearance: str) -> tuple[tuple[Chosen, ...], list[Diagnostic]]:
        """What each section of the agent holds."""
        found: list[Diagnostic] = []
        chosen = []
        for number, section in enumerate(agent.sections):
            if section.kind == "table":
                chosen.append(self._table(agent, number, section, clearance, found))
            elif section.kind == "fewshot":
                chosen.append(Chosen(section=section, examples=self._for(agent, section)))
            else:
                chosen.append(Chosen(section=section))
        return tuple(chosen), found

    def _for(self, agent: Agent, section: Section) -> tuple[Example, ...]:
        own = self._examples.get(agent.name, [])
        everyones = self._examples.get("", [])
        examples: Iterable[Example] = own
        if everyones:
            examples = sorted([*own, *everyones], key=lambda example: self._order[example.id])
        if section.tags:
            wanted = {written(tag) for tag in section.tags}
            examples = (e for e in examples if not wanted.isdisjoint(map(written, e.tags)))
        return tuple(examples)

    def _table(self, agent: Agent, number: int, section: Section, clearance: str, found: list[Diagnostic]) -> Chosen:
        table = self._project.tables[section.name]
        positions = self.matching(table, section.where)
        allowed = LEVELS[clearance]
        paths = [self._path(table, c.path) for c in section.where if len(c.path) > 1]
        facts = [table.facts[position] for position in positions]
        if not paths and (self._highest[table.name] <= allowed or all(LEVELS[f.level] <= allowed for f in facts)):
            columns = section.columns or self._default_columns(table, facts)
            filtered = len(table.facts) - len(facts)
            return Chosen(section=section, facts=tuple(facts), columns=columns, filtered=filtered)
        return self._judged(agent, number, section, clearance, positions, paths, found)

    def _judged(
        self,
        agent: Agent,
        number: int,
        section: Section,
        clearance: str,
        positions: Sequence[int],
        paths: Sequence[_Path],
        found: list[Diagnostic],
    ) -> Chosen:
        """What a section holds where some facts, or those that its `where` went through, may be above the clearance."""
        table = self._project.tables[section.name]
        facts, through, cuts = [], [], []
        allowed = LEVELS[clearance]
        for position in positions:
            fact = table.facts[position]
            passed = tuple(other for path in paths for other in path.through.get(position, ()))
            secret = next((f for f in (fact, *passed) if LEVELS[f.level] > allowed), None)
            if secret is None:
                facts.append(fact)
                through.append(tuple(other.id for other in passed))
            elif section.required:
                place = section.span
                found.append(leak(secret, agent, clearance, f"the required section '{section.label}'", place))
            else:
                why = f"{secret.level}, and the clearance is {clearance}"
                cuts.append(Cut(number, fact.id, "clearance", why if secret is fact else f"its {secret.id} is {why}"))
        return Chosen(
            section=section,
            facts=tuple(facts),
            through=tuple(through) if paths else (),
            columns=section.columns or self._default_columns(table, facts),
            cuts=tuple(cuts),
            filtered=len(table.facts) - len(positions),
        )

    def _default_columns(self, table: Table, facts: Sequence[Fact]) -> tuple[str, ...]:
        """The default columns, found once for each set of columns that facts have."""
        sets = self._columns_of.setdefault(table.name, {})
        try:
            key = (table.name, *dict.fromkeys([sets[fact.key] for fact in facts]))
        except KeyError:
            for fact in facts:
                if fact.key not in sets:
                    sets[fact.key] = self._sets.setdefault(_set_columns(fact), len(self._sets))
            key = (table.name, *dict.fromkeys([sets[fact.key] for fact in facts]))
        known = self._defaults.get(key)
        if known is None:
            known = self._defaults[key] = _default_columns(table, facts)
        return known

    def _path(self, table: Table, steps: tuple[str, ...]) -> _Path:
        known = self._paths.get((table.name, steps))
        if known is None:
            known = self._paths[table.name, steps] = _Path(table, steps, self._project.tables)
        return known

    def matching(self, table: Table, where: Sequence[Condition]) -> Sequence[int]:
        """Positions of the facts that match every condition, in order."""
        if len(where) == 1 and not where[0].negate:
            path = self._path(table, where[0].path)
            found = [path.positions.get(canonical(value, path.kind), ()) for value in where[0].values]
            return found[0] if len(found) == 1 else sorted({position for some in found for position in some})
        kept: set[int] | None = None
        for condition in where:
            path = self._path(table, condition.path)
            matching: set[int] = set()
            for value in condition.values:
                matching.update(path.positions.get(canonical(value, path.kind), ()))
            if condition.negate:
                matching = set(range(len(table.facts))) - matching
            kept = matching if kept is None else kept & matching
        return range(len(table.facts)) if kept is None else sorted(kept)


_NEVER = frozenset(["sensitivity", "verified", "tags"])


def _set_columns(fact: Fact) -> tuple[str, ...]:
    """The columns of a fact that have a value, and of a port whether it is tcp: what its default columns rest on."""
    columns = tuple([column for column, value in fact.values.items() if value is not None])
    return (*columns, "tcp") if fact.table == "ports" and written(fact.values.get("proto")) == "tcp" else columns


def _default_columns(table: Table, facts: Sequence[Fact]) -> tuple[str, ...]:
    """Those with a value in some chosen fact: key columns first, then in order of first appearance."""
    seen = {column: None for fact in facts for column, value in fact.values.items() if value is not None}
    columns = [column for column in table.key if column in seen]
    columns += [column for column in seen if column not in table.key and column not in _NEVER]
    if table.name == "ports" and all(written(fact.values.get("proto")) == "tcp" for fact in facts):
        columns = [column for column in columns if column != "proto"]
    return tuple(columns)
