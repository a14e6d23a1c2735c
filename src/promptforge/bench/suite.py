"""suites/*.yaml -> suites: shapes checked, references filled in, cases made from facts. Pure: it sends nothing."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptforge.bench.cases import OWN_ROWS, TIERS, Case, Check, Printed, Suite
from promptforge.bench.expectations import checks_of, unfilled
from promptforge.bench.generation import generated_cases
from promptforge.bench.texts import Conditions, Facts, Seen, Select, Texts, blanks, filled_in, many
from promptforge.document import Document, Path
from promptforge.files import digest_of
from promptforge.model import Project
from promptforge.schema import check_shape, invalid_schema
from promptforge.source import Diagnostic, Span, did_you_mean, errors
from promptforge.text import Renderer

__all__ = ["Conditions", "Select", "read_suites"]


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
    facts = Facts(project=project, renderer=renderer, conditions=conditions, select=select)
    for document in documents.values():
        problems, wrong = check_shape(document, "suite")
        found += problems
        if any(len(part) < 2 or part[0] not in ("cases", "generate", "tools") for part in wrong if not _extra(part)):
            continue
        whole = replace(document, wrong=wrong) if wrong else document
        suite = _Reader(Texts(whole, facts, found), agents).suite()
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


def _taken(category: str) -> bool:
    """Whether it reads as a row that tables have besides the categories."""
    name = " ".join(category.replace("_", " ").casefold().split())
    first, _, tier = name.partition(" ")
    return name.partition(",")[0] == "overall" or name in OWN_ROWS or (first == "tier" and tier in (*TIERS, "none"))


class _Reader:
    """Reads one suite."""

    def __init__(self, texts: Texts, agents: Collection[str]) -> None:
        self.texts, self.agents = texts, agents
        self.data, self.document = texts.document.data, texts.document
        self.runtime = texts.project.config.runtime
        self.declared = tuple(map(str, self.data.get("categories", ())))
        self.wrong: dict[Path, list[Path]] = {}
        for part in self.document.wrong:
            self.wrong.setdefault(part[:2], []).append(part)
        entries = enumerate(self.data.get("tools", ()))
        self.numbers = [number for number, _ in entries if ("tools", number) not in self.wrong]
        self.tools = tuple(self.data["tools"][number] for number in self.numbers)
        self.tool_names = [str(tool["name"]) for tool in self.tools]

    def suite(self) -> Suite:
        cases = [*self._written(), *self._generated()]
        categories = self.declared or tuple(dict.fromkeys(case.category for case in cases))
        self._look_for_taken(categories)
        self._look_for_empty(categories)
        self._judge_tools()
        what = [
            [c.id, c.category, c.tier, c.agents, c.messages, [_plain(k) for k in c.checks], c.shown, c.vars, c.judge]
            for c in cases
        ]
        digest = digest_of(json.dumps([what, self.tools], default=str))
        name = self.data["suite"]
        return Suite(name=name, file=self.document.file, categories=categories, cases=tuple(cases), digest=digest)

    def _look_for_taken(self, categories: Sequence[str]) -> None:
        """Every table of categories has rows of its own, and nobody could tell a category of that name from them."""
        for category in categories:
            if not _taken(category):
                continue
            message = f"'{category}' cannot be a category: tables have a row of that name"
            self.texts.say("PF203", self._place_of(category), message, "choose another name")

    def _place_of(self, category: str) -> Path:
        """Where a category is named first: in the list, else in a case."""
        if category in self.declared:
            return ("categories", self.declared.index(category))
        for key in ("cases", "generate"):
            for number, entry in enumerate(self.data.get(key, ())):
                if isinstance(entry, dict) and entry.get("category") == category:
                    return (key, number, "category")
        return ("suite",)

    def _look_for_empty(self, categories: Sequence[str]) -> None:
        if not self.data.get("cases") and not self.data.get("generate"):
            hint = "write one under `cases:`, with an id, a category, agents, ask and expect"
            self.texts.say("PF715", ("suite",), f"the suite '{self.data['suite']}' has no case", hint)
            return
        named = {entry.get("category") for entry in self.data.get("cases", ()) if isinstance(entry, dict)}
        for number, category in enumerate(categories if self.declared else ()):
            if category not in named:
                message = f"the category '{category}' has no written case"
                hint = "write some, or take it off the list: OVERALL is made without it"
                self.texts.say("PF704", ("categories", number), message, hint)

    def _judge_tools(self) -> None:
        first: dict[str, int] = {}
        for number, tool in zip(self.numbers, self.tools, strict=True):
            path: Path = ("tools", number)
            if (name := tool["name"]) in first:
                hint = "take one of them out, or give it another name"
                before: Path = ("tools", first[name], "name")
                self.texts.say("PF712", (*path, "name"), f"a second tool is called '{name}'", hint, first=before)
            first.setdefault(name, number)
            if problem := invalid_schema(tool.get("parameters", {})):
                message = f"the tool's parameters are no schema: {problem}"
                self.texts.say("PF705", (*path, "parameters"), message)
            for part in ("description", "parameters"):
                unfilled(self.texts, (*path, part), tool.get(part))

    # --- written cases

    def _written(self) -> Iterator[Case]:
        ids: dict[str, Span] = {}
        for number, whole in enumerate(self.data.get("cases", ())):
            path: Path = ("cases", number)
            if not isinstance(whole, dict):
                continue
            entry, broken = self._usable(path, whole)
            place = self.document.span((*path, "id") if "id" in entry else path)
            if first := ids.get(entry.get("id", "")):
                message, hint = f"a second case has the id '{entry['id']}'", "give one of them another id"
                related = ((first, "first here"),)
                problem = Diagnostic(code="PF702", span=place, message=message, hint=hint, related=related)
                self.texts.found.append(problem)
                continue
            if "id" in entry:
                ids[entry["id"]] = place
            case = self._case(path, entry, place, broken=broken)
            if case is not None:
                yield case

    def _usable(self, path: Path, entry: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """The parts of a case whose shape is right, and whether another one is not: these are judged all the same."""
        wrong = self.wrong.get(path)
        if not wrong:
            return entry, False
        expect = entry.get("expect")
        within = {part[3] for part in wrong if len(part) > 3 and part[2] == "expect"}
        lost = {part[2] for part in wrong if len(part) > 2 and not (part[2] == "expect" and len(part) > 3)}
        kept = {name: value for name, value in entry.items() if name not in lost}
        if within and isinstance(expect, dict):
            kept["expect"] = {name: value for name, value in expect.items() if name not in within}
        return kept, True

    def _case(self, path: Path, entry: Mapping[str, Any], place: Span, *, broken: bool) -> Case | None:
        before = len(self.texts.found)
        self._look_up(path, entry)
        self._judge_question(path, entry, broken=broken)
        asked, answered = Seen(), Seen()
        variables = {
            name: self.texts.render((*path, "vars", name), value, asked)[0]
            for name, value in entry.get("vars", {}).items()
        }
        messages, printed = self._messages(path, entry, asked, variables)
        checks = self._checks(path, entry, answered, variables)
        rubric = self._rubric(path, entry, answered, variables)
        if not checks and not rubric and not answered.failed and not broken:
            message = f"the case '{entry['id']}' expects nothing"
            self.texts.say("PF703", (*path, "expect"), message, "write at least one check, veto or rubric")
        if broken or asked.failed or answered.failed or errors(self.texts.found[before:]):
            return None
        return Case(
            id=entry["id"],
            category=entry["category"],
            tier=entry.get("tier", "gold"),
            agents=tuple(dict.fromkeys(many(entry["agents"]))),
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

    def _look_up(self, path: Path, entry: Mapping[str, Any]) -> bool:
        """Whether the agents, the category and the runtime names of an entry are there."""
        before = len(self.texts.found)
        self._look_up_agents(path, entry.get("agents", ()))
        category = entry.get("category")
        if self.declared and category is not None and category not in self.declared:
            hint = did_you_mean(category, self.declared)
            self.texts.say("PF706", (*path, "category"), f"no category '{category}' in this suite", hint)
        for name in entry.get("vars", {}):
            if name not in self.runtime:
                hint = did_you_mean(name, self.runtime) or "declare it under runtime: in promptforge.yaml"
                self.texts.say("PF707", (*path, "vars", name), f"no runtime name '{name}'", hint, key=True)
        return not errors(self.texts.found[before:])

    def _look_up_agents(self, path: Path, agents: Any) -> None:
        first: dict[str, Path] = {}
        for number, name in enumerate(many(agents) if agents else ()):
            at = (*path, "agents", *([number] if isinstance(agents, list) else []))
            if name in first:
                hint = "name it once: each agent named is one request, and `--repeats 2` asks everything twice"
                self.texts.say("PF714", at, f"the agent '{name}' is named twice", hint, first=first[name])
            elif name not in self.agents:
                self.texts.say("PF304", at, f"no agent '{name}'", did_you_mean(name, self.agents))
            first.setdefault(name, at)

    def _judge_question(self, path: Path, entry: Mapping[str, Any], *, broken: bool) -> None:
        """Whether it asks one question; of a broken case, the part that is missing may be the one that is broken."""
        both = "ask" in entry and "messages" in entry
        neither = "ask" not in entry and "messages" not in entry and not broken
        if both or neither:
            what = "both ask and messages" if both else "neither ask nor messages"
            self.texts.say("PF703", path, f"the case '{entry.get('id', '')}' has {what}", "write one of them")
        elif "messages" in entry and entry["messages"][-1]["role"] != "user":
            self.texts.say("PF703", (*path, "messages"), "the last message is not the user's", "end with what is asked")

    def _messages(
        self, path: Path, entry: Mapping[str, Any], seen: Seen, variables: Mapping[str, str]
    ) -> tuple[tuple[tuple[str, str], ...], tuple[Printed, ...]]:
        turns = entry.get("messages", ()) if "ask" not in entry else ()
        texts = [(m["role"], (*path, "messages", n, "content"), m["content"]) for n, m in enumerate(turns)]
        if "ask" in entry:
            texts = [("user", (*path, "ask"), entry["ask"])]
        messages, printed = [], []
        for role, at, source in texts:
            text, shown = self.texts.render(at, source, seen)
            self._look_for_blanks(at, text, variables)
            messages.append((role, text.strip()))
            printed += shown
        return tuple(messages), tuple(dict.fromkeys(printed))

    def _checks(
        self, path: Path, entry: Mapping[str, Any], seen: Seen, variables: Mapping[str, str]
    ) -> tuple[Check, ...]:
        at = (*path, "expect")
        checks = checks_of(self.texts, at, entry.get("expect", {}), seen, tools=self.tool_names, variables=variables)
        for check in checks if self.runtime else ():
            for value in (*check.values, json.dumps(check.data, default=str)) if check.kind != "json" else ():
                self._look_for_blanks((*at, check.kind), value, variables)
        return checks

    def _rubric(self, path: Path, entry: Mapping[str, Any], seen: Seen, variables: Mapping[str, str]) -> str:
        for at, holder in ((path, entry), ((*path, "expect"), entry.get("expect", {}))):
            if "judge" in holder:
                text = filled_in(self.texts.render((*at, "judge"), holder["judge"], seen)[0], variables).strip()
                self._look_for_blanks((*at, "judge"), text, variables)
                return text
        return ""

    def _look_for_blanks(self, at: Path, text: str, variables: Mapping[str, str]) -> None:
        """Say so where a text has a runtime name that the case does not fill."""
        for name in blanks(text, (name for name in self.runtime if name not in variables)):
            message = f"the case does not say what {{{{ {name} }}}} is: it stays as it is written"
            self.texts.say("PF716", at, message, f"add `vars: {{{name}: …}}` to the case")

    # --- generated cases

    def _generated(self) -> Iterator[Case]:
        return generated_cases(self.texts, self.data.get("generate", ()), self.tools, self._look_up)


def _plain(check: Check) -> list[Any]:
    return [check.kind, check.values, check.data]
