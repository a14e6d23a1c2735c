"""suites/*.yaml -> suites: shapes checked, references filled in, cases made from facts. Pure: it sends nothing."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from promptforge.bench.cases import Case, Check, Printed, Suite
from promptforge.bench.patterns import pattern_problem
from promptforge.document import Document, Path
from promptforge.files import digest_of
from promptforge.model import Condition, Fact, Project, Rendered, Text, written
from promptforge.schema import bad_reference, check_shape, invalid_schema
from promptforge.source import Diagnostic, Span, did_you_mean
from promptforge.text import Renderer, TextError

__all__ = ["Conditions", "Select", "read_suites"]

Conditions = Callable[[Document, Path, str, Mapping[str, Any]], tuple[tuple[Condition, ...], Sequence[Diagnostic]]]
"""(document, path, table, where) -> what it asks for, and what is wrong with it: the compiler's own reading."""
Select = Callable[[str, Sequence[Condition]], Sequence[Fact]]
"""(table, conditions) -> the facts that match, in order."""


def read_suites(
    documents: Mapping[str, Document],
    project: Project,
    renderer: Renderer,
    *,
    agents: Collection[str],
    conditions: Conditions,
    select: Select,
) -> tuple[tuple[Suite, ...], list[Diagnostic]]:
    """The suites of these documents, and everything wrong with them. A case that cannot be made is left out.

    `agents` are the names that a case may use: those of agents whose own files are broken are among them.
    """
    found: list[Diagnostic] = []
    suites: dict[str, Suite] = {}
    for document in documents.values():
        problems, wrong = check_shape(document, "suite")
        found += problems
        if any(len(part) < 2 or part[0] not in ("cases", "generate", "tools") for part in wrong if not _extra(part)):
            continue
        whole = replace(document, wrong=frozenset(part[:2] for part in wrong)) if wrong else document
        suite = _Reader(whole, project, renderer, found, agents, conditions, select).suite()
        if first := suites.get(suite.name):
            message, hint = f"a second suite is called '{suite.name}'", "give one of them another name"
            related = ((Span(file=first.file), "first here"),)
            place = document.span(("suite",))
            found.append(Diagnostic(code="PF701", span=place, message=message, hint=hint, related=related))
            continue
        suites[suite.name] = suite
    return tuple(suites.values()), found


def _extra(part: Path) -> bool:
    """Whether it is a key at the top that nobody knows: the rest can be judged without it."""
    return len(part) == 1 and part[0] not in ("suite", "categories", "tools", "cases", "generate")


@dataclass(slots=True)
class _Seen:
    """What the texts of one case, or of its question alone, rested on."""

    shows: dict[str, str] = field(default_factory=dict)
    reads: set[str] = field(default_factory=set)
    used: set[Printed] = field(default_factory=set)
    failed: bool = False

    def add(self, rendered: Rendered) -> None:
        self.shows.update((fact.id, fact.level) for fact in rendered.seen)
        self.reads.update(fact.id for fact in rendered.seen)
        self.reads.update(rendered.reads)
        self.used.update(Printed(*place) for place in rendered.used)


class _Reader:
    """Reads one suite."""

    def __init__(
        self,
        document: Document,
        project: Project,
        renderer: Renderer,
        found: list[Diagnostic],
        agents: Collection[str],
        conditions: Conditions,
        select: Select,
    ) -> None:
        self.document, self.data = document, document.data
        self.project, self.renderer, self.found = project, renderer, found
        self.agents, self.conditions, self.select = agents, conditions, select
        self.declared = tuple(map(str, self.data.get("categories", ())))
        self.tools = tuple(
            tool for n, tool in enumerate(self.data.get("tools", ())) if ("tools", n) not in document.wrong
        )
        self.fact: Fact | None = None

    def suite(self) -> Suite:
        cases = [*self._written(), *self._generated()]
        categories = self.declared or tuple(dict.fromkeys(case.category for case in cases))
        self._look_for_empty(categories)
        for number, tool in enumerate(self.tools):
            if problem := invalid_schema(tool.get("parameters", {})):
                self._say("PF705", ("tools", number, "parameters"), f"the tool's parameters are no schema: {problem}")
        what = [
            [c.id, c.category, c.tier, c.agents, c.messages, [_plain(k) for k in c.checks], c.shown, c.vars, c.judge]
            for c in cases
        ]
        digest = digest_of(json.dumps([what, self.tools], default=str))
        name = self.data["suite"]
        return Suite(name=name, file=self.document.file, categories=categories, cases=tuple(cases), digest=digest)

    def _look_for_empty(self, categories: Sequence[str]) -> None:
        named = {entry.get("category") for entry in self.data.get("cases", ()) if isinstance(entry, dict)}
        for number, category in enumerate(categories if self.declared else ()):
            if category not in named:
                message = f"the category '{category}' has no written case"
                hint = "write some, or take it off the list: OVERALL is made without it"
                self._say("PF704", ("categories", number), message, hint)

    def _say(self, code: str, path: Path, message: str, hint: str = "", *, key: bool = False) -> None:
        place = self.document.span(path, key=key)
        self.found.append(Diagnostic(code=code, span=place, message=message, hint=hint))

    # --- written cases

    def _written(self) -> Iterator[Case]:
        ids: dict[str, Span] = {}
        for number, entry in enumerate(self.data.get("cases", ())):
            path: Path = ("cases", number)
            if path in self.document.wrong:
                continue
            place = self.document.span((*path, "id"))
            if first := ids.get(entry["id"]):
                message, hint = f"a second case has the id '{entry['id']}'", "give one of them another id"
                related = ((first, "first here"),)
                self.found.append(Diagnostic(code="PF702", span=place, message=message, hint=hint, related=related))
                continue
            ids[entry["id"]] = place
            case = self._case(path, entry, place)
            if case is not None:
                yield case

    def _case(self, path: Path, entry: Mapping[str, Any], place: Span) -> Case | None:
        good = self._names_resolve(path, entry)
        asked, answered = _Seen(), _Seen()
        messages, printed = self._messages(path, entry, asked)
        variables = {name: self._render((*path, "vars", name), value, asked)[0] for name, value in _vars(entry)}
        expect = entry.get("expect", {})
        checks = tuple(self._checks((*path, "expect"), expect, answered))
        rubric = self._rubric(path, entry, answered)
        if not checks and not rubric and not answered.failed:
            message = f"the case '{entry['id']}' expects nothing"
            self._say("PF703", (*path, "expect"), message, "write at least one check, veto or rubric")
            good = False
        if not good or asked.failed or answered.failed:
            return None
        return Case(
            id=entry["id"],
            category=entry["category"],
            tier=entry.get("tier", "gold"),
            agents=_many(entry["agents"]),
            messages=messages,
            checks=checks,
            vars=variables,
            tools=self.tools,
            judge=rubric,
            shown=entry.get("shown", ""),
            span=place,
            asked=printed,
            reads=frozenset(asked.reads | answered.reads),
            used=frozenset(asked.used | answered.used),
            shows=tuple(asked.shows.items()),
            answer_shows=tuple(answered.shows.items()),
        )

    def _names_resolve(self, path: Path, entry: Mapping[str, Any]) -> bool:
        """Whether its agents, category and runtime names are there."""
        before = len(self.found)
        for number, name in enumerate(_many(entry["agents"])):
            if name not in self.agents:
                at = (*path, "agents", *([number] if isinstance(entry["agents"], list) else []))
                self._say("PF304", at, f"no agent '{name}'", did_you_mean(name, self.agents))
        category = entry["category"]
        if self.declared and category not in self.declared:
            hint = did_you_mean(category, self.declared)
            self._say("PF706", (*path, "category"), f"no category '{category}' in this suite", hint)
        for name, _ in _vars(entry):
            if name not in self.project.config.runtime:
                hint = (
                    did_you_mean(name, self.project.config.runtime) or "declare it under runtime: in promptforge.yaml"
                )
                self._say("PF707", (*path, "vars", name), f"no runtime name '{name}'", hint, key=True)
        if "id" in entry and ("ask" in entry) == ("messages" in entry):
            both = "both ask and messages" if "ask" in entry else "neither ask nor messages"
            self._say("PF703", path, f"the case '{entry['id']}' has {both}", "write one of them")
        elif "messages" in entry and entry["messages"][-1]["role"] != "user":
            self._say("PF703", (*path, "messages"), "the last message is not the user's", "end with what is asked")
        return len(self.found) == before

    def _messages(
        self, path: Path, entry: Mapping[str, Any], seen: _Seen
    ) -> tuple[tuple[tuple[str, str], ...], tuple[Printed, ...]]:
        turns = entry.get("messages", ()) if "ask" not in entry else ()
        texts = [(m["role"], (*path, "messages", n, "content"), m["content"]) for n, m in enumerate(turns)]
        if "ask" in entry:
            texts = [("user", (*path, "ask"), entry["ask"])]
        messages, printed = [], []
        for role, at, source in texts:
            text, shown = self._render(at, source, seen)
            messages.append((role, text.strip()))
            printed += shown
        return tuple(messages), tuple(dict.fromkeys(printed))

    def _rubric(self, path: Path, entry: Mapping[str, Any], seen: _Seen) -> str:
        for at, holder in ((path, entry), ((*path, "expect"), entry.get("expect", {}))):
            if "judge" in holder:
                return self._render((*at, "judge"), holder["judge"], seen)[0].strip()
        return ""

    # --- expectations

    def _checks(self, path: Path, expect: Mapping[str, Any], seen: _Seen) -> Iterator[Check]:
        for kind, value in expect.items():
            at = (*path, kind)
            match kind:
                case "all" | "any" | "none" | "order" | "equals" | "regex":
                    yield self._texts(kind, at, value, seen)
                case "abstain" | "refuse":
                    if value is False and kind == "abstain":
                        self._say("PF703", at, "'abstain' can only be true", "leave it out, or say what must be named")
                        seen.failed = True
                    yield Check(kind=kind if value else "answer")
                case "tool":
                    yield self._tool(at, value, seen)
                case "json":
                    if problem := invalid_schema(value) or bad_reference(value):
                        self._say("PF705", at, f"no valid JSON Schema: {problem}", "see https://json-schema.org")
                        seen.failed = True
                    yield Check(kind=kind, data=value)
                case "only":
                    columns = _many(value)
                    for column in columns:
                        self._column_exists(at, column, seen)
                    yield Check(kind=kind, values=columns)

    def _texts(self, kind: str, at: Path, value: Any, seen: _Seen) -> Check:
        many = isinstance(value, list)
        rendered = [
            self._render((*at, n) if many else at, one, seen) for n, one in enumerate(value if many else [value])
        ]
        values = tuple(text.strip() for text, _ in rendered)
        if kind == "regex" and not seen.failed and (problem := pattern_problem(values[0])):
            self._say("PF705", at, f"no valid regular expression: {problem}", "mend it, or use any: [...]")
            seen.failed = True
        for number, text in enumerate(values):
            if not text and not seen.failed:
                self._say("PF703", (*at, number) if many else at, f"'{kind}' expects an empty text", "name a value")
                seen.failed = True
        forms = tuple(self._form(text, printed) for text, (_, printed) in zip(values, rendered, strict=True))
        printed = tuple(dict.fromkeys(p for _, some in rendered for p in some))
        return Check(kind=kind, values=values, forms=forms, printed=printed)

    def _form(self, text: str, printed: Sequence[Printed]) -> str:
        """The kind of the column whose value the text is, if it is one."""
        for fact, column in printed:
            table = self.project.tables[fact.split("/", 1)[0]]
            known = table.by_key.get(fact.split("/", 1)[1])
            if known is not None and written(known.values.get(column)).strip() == text:
                return table.kind(column)
        return ""

    def _tool(self, at: Path, value: Mapping[str, Any], seen: _Seen) -> Check:
        name = value["name"]
        known = [tool["name"] for tool in self.tools]
        if name not in known:
            hint = did_you_mean(name, known) or "declare it under tools: of the suite"
            self._say("PF708", (*at, "name"), f"no tool '{name}' in this suite", hint)
            seen.failed = True
        printed: list[Printed] = []
        arguments = self._filled((*at, "arguments"), value.get("arguments", {}), seen, printed)
        data = {"name": name, "arguments": arguments}
        return Check(kind="tool", data=data, printed=tuple(dict.fromkeys(printed)))

    def _filled(self, at: Path, value: Any, seen: _Seen, printed: list[Printed]) -> Any:
        """Plain data with the references of its texts filled in."""
        if isinstance(value, dict):
            return {key: self._filled((*at, key), inner, seen, printed) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled((*at, number), inner, seen, printed) for number, inner in enumerate(value)]
        if isinstance(value, str):
            text, shown = self._render(at, value, seen)
            printed += shown
            return text
        return value

    def _column_exists(self, at: Path, name: str, seen: _Seen) -> None:
        table_name, _, column = name.partition(".")
        table = self.project.tables.get(table_name)
        if table is None:
            self._say("PF302", at, f"no table '{table_name}'", did_you_mean(table_name, self.project.tables))
        elif column not in table.columns and not table.partial:
            self._say("PF303", at, f"{table_name} has no column '{column}'", did_you_mean(column, table.columns))
        seen.failed |= table is None or column not in table.columns

    def _render(self, at: Path, source: Any, seen: _Seen) -> tuple[str, list[Printed]]:
        """A text with its references filled in, and the values that it prints."""
        text = Text(source=written(source), file=self.document.file, path=at)
        try:
            rendered = self.renderer.render(text, fact=self.fact)
        except TextError as problem:
            seen.failed = True
            if problem.code and not (self.fact and problem.code == "PF404"):
                line = self.document.text_line(at, problem.line)
                place = self.document.span(at)
                place = place if place.line == line else Span(file=self.document.file, line=line)
                self.found.append(Diagnostic(code=problem.code, span=place, message=problem.message, hint=problem.hint))
            return "", []
        seen.add(rendered)
        return rendered.text, [Printed(*place) for place in rendered.printed]

    # --- generated cases

    def _generated(self) -> Iterator[Case]:
        taken: set[str] = set()
        for number, entry in enumerate(self.data.get("generate", ())):
            path: Path = ("generate", number)
            if path in self.document.wrong or not self._names_resolve(path, {**entry, "messages": _ONE_TURN}):
                continue
            facts = self._facts(path, entry)
            made = list(self._unambiguous(self._of_facts(path, entry, facts or (), taken)))
            if facts is not None and not made:
                message = "no case comes of it"
                hint = "mend the where, or the columns that it asks for and about: their values may be unset"
                self._say("PF709", path, message, hint)
            made.sort(key=lambda case: digest_of(f"{entry.get('seed', 0)} {case.id}"))
            chosen = {case.id for case in made[: entry.get("limit", len(made))]}
            yield from sorted((case for case in made if case.id in chosen), key=lambda case: case.id)

    def _facts(self, path: Path, entry: Mapping[str, Any]) -> Sequence[Fact] | None:
        name, before = entry["table"], len(self.found)
        table = self.project.tables.get(name)
        if table is None:
            self._say("PF302", (*path, "table"), f"no table '{name}'", did_you_mean(name, self.project.tables))
            return None
        self._column_exists((*path, "answer"), f"{name}.{entry['answer']}", _Seen())
        where, problems = self.conditions(self.document, (*path, "where"), name, entry.get("where", {}))
        self.found.extend(problems)
        return None if len(self.found) > before else self.select(name, where)

    def _of_facts(self, path: Path, entry: Mapping[str, Any], facts: Sequence[Fact], taken: set[str]) -> Iterator[Case]:
        for self.fact in facts:
            asked, column = _Seen(), entry["answer"]
            value = self.fact.values.get(column)
            text, printed = self._render((*path, "ask"), entry["ask"], asked)
            if value is None or asked.failed:
                continue
            id_ = f"{self.fact.id}.{column}"
            while id_ in taken:
                id_ += "'"
            taken.add(id_)
            place = Printed(self.fact.id, column)
            many = value if isinstance(value, list) else [value]
            form = self.project.tables[self.fact.table].kind(column)
            values = tuple(written(one).strip() for one in many)
            check = Check(kind="all", values=values, forms=(form,) * len(values), printed=(place,))
            yield Case(
                id=id_,
                category=entry["category"],
                tier=entry.get("tier", "extended"),
                agents=_many(entry["agents"]),
                messages=(("user", text.strip()),),
                checks=(check,),
                tools=self.tools,
                generated=True,
                span=self.document.span(path),
                asked=tuple(dict.fromkeys(printed)),
                reads=frozenset({*asked.reads, self.fact.id}),
                used=frozenset({*asked.used, place}),
                shows=tuple(asked.shows.items()),
                answer_shows=((self.fact.id, self.fact.level),),
            )
        self.fact = None

    def _unambiguous(self, cases: Iterator[Case]) -> Iterator[Case]:
        """Only questions that have one answer: a codename on three hosts asks for none of them."""
        by_question: dict[str, list[Case]] = {}
        for case in cases:
            by_question.setdefault(case.question, []).append(case)
        for same in by_question.values():
            if len({case.checks[0].values for case in same}) == 1:
                yield same[0]


_ONE_TURN = [{"role": "user", "content": ""}]


def _plain(check: Check) -> list[Any]:
    return [check.kind, check.values, check.data]


def _many(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _vars(entry: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(entry.get("vars", {}).items())
