"""The second stage: documents to a project, in which every name is resolved."""

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from promptforge.compiler.builtin import RESERVED
from promptforge.compiler.load import Loaded
from promptforge.compiler.tables import make_tables
from promptforge.compiler.where import conditions
from promptforge.document import Document, Path
from promptforge.files import CONFIG
from promptforge.model import (
    Agent,
    Condition,
    Config,
    Example,
    Model,
    Project,
    Section,
    Table,
    Text,
)
from promptforge.source import Diagnostic, Span, did_you_mean

__all__ = ["link"]

DEFAULT_BUDGET = 6000
_TAILNET = ipaddress.ip_network("100.64.0.0/10")
_HOME_SUFFIXES = (
    ".local",
    ".lan",
    ".home",
    ".home.arpa",
    ".internal",
    ".intranet",
    ".localdomain",
    ".ts.net",
    ".localhost",
)


def link(
    loaded: Loaded, *, tables: Mapping[str, Table] | None = None, others: Collection[str] = ()
) -> tuple[Project, list[Diagnostic]]:
    """The project, and what does not resolve. What is broken is left out, so that the rest can still be judged.

    Where only a part of a project is linked, `tables` are those already made of its knowledge, and `others` the names
    of the agents that are not loaded: an example for them alone is left out.
    """
    found: list[Diagnostic] = []
    config = _config(loaded.config, found)
    if tables is None:
        tables, problems = make_tables(
            loaded.knowledge, loaded.schemas, frozenset(config.runtime), loaded.hidden_tables
        )
        found.extend(problems)
        _check_refs_exist(tables, found)
    linker = _Linker(config, tables, loaded, found)
    agents = linker.agents()
    project = Project(
        config=config,
        tables=tables,
        agents=agents,
        examples=linker.examples(agents, frozenset(others)),
        templates=loaded.templates,
    )
    if not agents and not others and not loaded.agents and not any(path.startswith("agents") for path in loaded.broken):
        message, hint = "the project has no agents", "write agents/NAME.yaml, one agent a file"
        found.append(Diagnostic(code="PF604", span=Span(file=CONFIG), message=message, hint=hint))
    return project, found


# --- promptforge.yaml -----------------------------------------------------------------------------------------------


def _config(document: Document | None, found: list[Diagnostic]) -> Config:
    if document is None:
        return Config(name="")
    data = _usable(document)
    stale = data.get("stale_after")
    models = {name: _model(name, entry, document, found) for name, entry in data.get("models", {}).items()}
    judge = data.get("judge")
    if judge and judge not in models and ("models",) not in {part[:1] for part in document.wrong}:
        place, hint = document.span(("judge",)), did_you_mean(judge, models) or "add it under models:"
        found.append(Diagnostic(code="PF305", span=place, message=f"no model '{judge}'", hint=hint))
    return Config(
        name=data.get("name", ""),
        output=data.get("output", "build/agent_prompts.yaml"),
        budget_tokens=data.get("budget"),
        reserve_tokens=data.get("reserve", 1024),
        form=data.get("table", "markdown"),
        models=models,
        clearance={"local": "private", "cloud": "internal", **data.get("clearance", {})},
        runtime=_runtime(document, data.get("runtime", {}), found),
        stale_after_days=int(stale[:-1]) if stale else None,
        ignore={code: tuple(_many(files)) for code, files in data.get("ignore", {}).items()},
        settings=data,
    )


def _usable(document: Document) -> dict[str, Any]:
    """The settings without what is of a wrong shape: one that is wrong does not make the others unknown."""
    data: dict[str, Any] = {name: value for name, value in document.data.items() if (name,) not in document.wrong}
    for part in document.wrong:
        if len(part) > 1 and isinstance(whole := data.get(str(part[0])), dict):
            data[str(part[0])] = {name: value for name, value in whole.items() if name != part[1]}
    return data


def _runtime(document: Document, runtime: Mapping[str, Any], found: list[Diagnostic]) -> dict[str, int]:
    names = {}
    for name, about in runtime.items():
        if name in RESERVED:
            message, hint = f"a runtime name cannot be '{name}': texts use that name", "choose another name"
            place = document.span(("runtime", name), key=True)
            found.append(Diagnostic(code="PF204", span=place, message=message, hint=hint))
            continue
        names[name] = about["max_tokens"]
    return names


def _model(name: str, entry: Mapping[str, Any], document: Document, found: list[Diagnostic]) -> Model:
    url = entry.get("base_url", "")
    if url and (lack := _lack(url)):
        message, hint = f"'{url}' names no {lack}", "write http://HOST:PORT/v1"
        place = document.span(("models", name, "base_url"))
        found.append(Diagnostic(code="PF203", span=place, message=message, hint=hint))
    public = bool(url) and _is_public(url)
    tier: Literal["local", "cloud"] = entry.get("tier") or (
        "cloud" if entry["backend"] in ("openai", "anthropic") or public else "local"
    )
    if entry["backend"] in ("openai", "anthropic") and url and not public and "tier" not in entry:
        tier = "local"
    if tier == "local" and (public or (entry["backend"] in ("openai", "anthropic") and not url)):
        where = f"'{_host(url)}' is public" if url else f"{entry['backend']} answers from the cloud"
        message = f"model '{name}' is called local, but {where}"
        place = document.span(("models", name, "base_url" if url else "tier"))
        found.append(Diagnostic(code="PF503", span=place, message=message, hint="write `tier: cloud`"))
        tier = "cloud"
    key = entry.get("api_key", "")
    if key and not key.startswith("env:"):
        message = f"the API key of model '{name}' stands in the file"
        hint = "write `api_key: env:NAME` and set NAME in the environment; change the key, it is in the open"
        place = document.span(("models", name, "api_key"))
        found.append(Diagnostic(code="PF504", span=place, message=message, hint=hint))
    return Model(
        name=name,
        backend=entry["backend"],
        tier=tier,
        tokenizer=entry.get("tokenizer", "estimate"),
        context=entry.get("context"),
        settings=entry,
    )


def _lack(url: str) -> str:
    """What is wrong with a URL that nobody can ask: the host, or the port."""
    if not _host(url):
        return "host"
    try:
        return "" if urlsplit(url).port != 0 else "port from 1 to 65535"
    except ValueError:
        return "port from 1 to 65535"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_public(url: str) -> bool:
    """Whether a URL leads out of the house: not loopback, private, tailnet, or a name of a home network."""
    host = _host(url)
    if not host:
        return True
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return "." in host and not host.lower().rstrip(".").endswith(_HOME_SUFFIXES)
    if address.version == 4 and address in _TAILNET:
        return False
    return not (address.is_private or address.is_loopback or address.is_link_local)


def _many(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else () if value is None else (value,)


def _check_refs_exist(tables: Mapping[str, Table], found: list[Diagnostic]) -> None:
    """A schema's x-ref must name a table."""
    for table in tables.values():
        for column, about in table.columns.items():
            if about.ref and about.ref not in tables and about.kind == "any":
                message = f"x-ref of '{column}' names no table '{about.ref}'"
                place = Span(file=f"knowledge/schemas/{table.name}.schema.json")
                hint = did_you_mean(about.ref, tables)
                found.append(Diagnostic(code="PF302", span=place, message=message, hint=hint))


# --- agents, sections, examples -------------------------------------------------------------------------------------


class _Linker:
    """What agents and examples are resolved against."""

    def __init__(self, config: Config, tables: Mapping[str, Table], loaded: Loaded, found: list[Diagnostic]) -> None:
        self.config, self.tables, self.loaded, self.found = config, tables, loaded, found
        self._defaults: tuple[Section, ...] | None = None

    def say(self, code: str, span: Span, message: str, hint: str = "") -> None:
        self.found.append(Diagnostic(code=code, span=span, message=message, hint=hint))

    def agents(self) -> dict[str, Agent]:
        agents: dict[str, Agent] = {}
        for document in self.loaded.agents.values():
            agent = self._agent(document)
            if first := agents.get(agent.name):
                message, hint = f"a second agent is called '{agent.name}'", "give one of them another name"
                place, related = document.span(("name",)), ((Span(file=first.file), "first here"),)
                self.found.append(Diagnostic(code="PF325", span=place, message=message, hint=hint, related=related))
                continue
            agents[agent.name] = agent
        return agents

    def _agent(self, document: Document) -> Agent:
        data = document.data
        model = self._agent_model(document)
        form = data.get("table", self.config.form)
        budget = data.get("budget", self.config.budget_tokens)
        if budget is None:
            # Nobody asked for 6000: a small model gets what it can hold.
            room = (model.context - self.config.reserve_tokens) if model and model.context else DEFAULT_BUDGET
            budget = max(1, min(DEFAULT_BUDGET, room))
        if model and model.context and budget + self.config.reserve_tokens > model.context:
            total = f"budget {budget} + reserve {self.config.reserve_tokens} = {budget + self.config.reserve_tokens}"
            message = f"{total} tokens do not fit the context of '{model.name}': {model.context}"
            place = document.span(("budget",)) if "budget" in data else document.span(("model",))
            room = model.context - self.config.reserve_tokens
            self.say("PF414", place, message, f"lower the budget to {room}" if room > 0 else "lower the reserve")
        if "sections" in data:
            sections = self.sections(document, ("sections",), form)
        else:
            sections = tuple(s._replace(form=s.form or form) for s in self.default_sections())
        return Agent(
            name=data["name"],
            role=data.get("role"),
            model=model,
            privacy=data.get("privacy", "any"),
            budget_tokens=budget,
            form=form,
            persona=data["persona"],
            sections=sections,
            file=document.file,
            budget_line=document.line(("budget",)) if "budget" in data else 1,
            persona_start=document.text_start(("persona",)),
        )

    def _agent_model(self, document: Document) -> Model | None:
        data = document.data
        name = data.get("model")
        model = self.config.models.get(name) if name else None
        if name and model is None and "models" not in self.loaded.hidden_settings:
            place = document.span(("model",))
            self.say("PF305", place, f"no model '{name}'", did_you_mean(name, self.config.models))
        if model and data.get("privacy") == "local" and model.tier == "cloud":
            message = f"agent '{data['name']}' is private (privacy: local), and '{model.name}' is a cloud model"
            hint = did_you_mean("", [m.name for m in self.config.models.values() if m.tier == "local"])
            place = document.span(("model",))
            self.say("PF502", place, message, hint.replace("known:", "local models:") or "give it a local model")
        return model

    def default_sections(self) -> tuple[Section, ...]:
        """Those of promptforge.yaml; else persona, every table in file order, and three examples."""
        if self._defaults is None:
            document = self.loaded.config
            if document is not None and "sections" in document.data and ("sections",) not in document.wrong:
                self._defaults = self.sections(document, ("sections",), "")
            else:
                tables = [Section(kind="table", name=name, file=CONFIG) for name in self.tables]
                fewshot = Section(kind="fewshot", count=3, form="text", file=CONFIG)
                self._defaults = (Section(kind="persona", required=True, file=CONFIG), *tables, fewshot)
        return self._defaults

    def sections(self, document: Document, path: Path, form: str) -> tuple[Section, ...]:
        sections = []
        places = document.item_places(path)
        for number, entry in enumerate(document.data[path[0]]):
            if (*path, number) in document.wrong:
                continue
            section = self._section(document, (*path, number), places[number], entry, form)
            if section is not None:
                sections.append(section)
        wrong = any(part[:1] == path for part in document.wrong)
        if not wrong and not any(s.kind == "persona" for s in sections):
            message, hint = "the persona is not among the sections, so no prompt holds it", "add `- persona`"
            self.say("PF411", document.span(path, key=True), message, hint)
        return tuple(sections)

    def _section(self, document: Document, path: Path, at: tuple[int, int], entry: Any, form: str) -> Section | None:
        place: dict[str, Any] = {"file": document.file, "path": path, "line": at[0], "column": at[1]}
        if entry == "persona":
            return Section(kind="persona", required=True, **place)
        common = {**place, "priority": entry.get("priority", 50), "required": entry.get("required", False)}
        if "template" in entry:
            name = entry["template"]
            if name not in self.loaded.templates:
                hint = did_you_mean(name, self.loaded.templates)
                message = f"no template 'agents/templates/{name}'"
                self.say("PF306", document.span((*path, "template")), message, hint or "write the file")
                return None
            return Section(kind="template", name=name, **common)
        if "fewshot" in entry:
            tags = _many(entry.get("tags"))
            form_of_it = entry.get("as", "text")
            return Section(
                kind="fewshot",
                count=entry["fewshot"],
                tags=tags,
                form=form_of_it,
                title=entry.get("title", ""),
                **common,
            )
        name = entry["table"]
        table = self.tables.get(name)
        if table is None:
            self.say("PF302", document.span((*path, "table")), f"no table '{name}'", did_you_mean(name, self.tables))
            return None
        return Section(
            kind="table",
            name=name,
            title=entry.get("title", ""),
            where=self._where(document, path, table, entry.get("where", {})),
            columns=self._columns(document, path, table, entry.get("columns", ())),
            form=entry.get("as", form),
            **common,
        )

    def _columns(self, document: Document, path: Path, table: Table, columns: Iterable[str]) -> tuple[str, ...]:
        kept = []
        for number, column in enumerate(columns):
            if column in table.columns:
                kept.append(column)
            elif not table.partial:
                message = f"{table.name} has no column '{column}'"
                place = document.span((*path, "columns", number))
                self.say("PF303", place, message, did_you_mean(column, table.columns))
        return tuple(dict.fromkeys(kept))

    def _where(self, document: Document, path: Path, table: Table, where: Mapping[str, Any]) -> tuple[Condition, ...]:
        kept, found = conditions(self.tables, document, (*path, "where"), table.name, where)
        self.found.extend(found)
        return kept

    def examples(self, agents: Mapping[str, Agent], others: frozenset[str]) -> tuple[Example, ...]:
        examples: dict[str, Example] = {}
        # An agent whose file is broken is still an agent: its examples are not to blame.
        names = {*agents, *(_name_of(document) for document in self.loaded.documents.values()), *others}
        for document in self.loaded.fewshot.values():
            lines = document.item_lines(("examples",))
            for number, entry in enumerate(document.data["examples"]):
                if ("examples", number) in document.wrong:
                    continue
                if others and (named := _many(entry.get("agents"))) and others.issuperset(named):
                    continue
                example = self._example(document, number, lines[number], entry, names)
                if first := examples.get(example.id):
                    message, hint = f"a second example has the id '{example.id}'", "give one of them another id"
                    place, related = document.span(("examples", number, "id")), ((first.span, "first here"),)
                    self.found.append(Diagnostic(code="PF326", span=place, message=message, hint=hint, related=related))
                    continue
                examples[example.id] = example
        return tuple(examples.values())

    def _example(
        self, document: Document, position: int, line: int, entry: Mapping[str, Any], names: set[str]
    ) -> Example:
        path: Path = ("examples", position)
        unsure = any(path.startswith("agents") for path in self.loaded.broken)
        for number, name in enumerate(_many(entry.get("agents"))):
            if name not in names and not unsure:
                place = document.span((*path, "agents", *([number] if isinstance(entry["agents"], list) else [])))
                self.say("PF304", place, f"no agent '{name}'", did_you_mean(name, names - {""}))
        return Example(
            id=entry["id"],
            agents=_many(entry.get("agents")),
            tags=_many(entry.get("tags")),
            user=Text(source=entry["user"], file=document.file, path=(*path, "user"), line=line),
            assistant=Text(source=entry["assistant"], file=document.file, path=(*path, "assistant"), line=line),
            span=Span(file=document.file, line=line),
        )


def _name_of(document: Document) -> str:
    if document.file.startswith("agents/") and isinstance(document.data, dict):
        return str(document.data.get("name", ""))
    return ""
