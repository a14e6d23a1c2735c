"""Hypothesis strategies that make whole random projects, and random edits of them.

A project is first plain data (a *spec*: file to tables, agents, examples), which a test may change, and then files:
`tree_of(spec)`. The YAML is written here and not by promptforge, so that the two are held against each other.
"""

import copy
import datetime
import json
import os
import re
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from promptforge.compiler.build import Build, compile_project
from promptforge.files import Tree

TODAY = datetime.date(2026, 11, 22)
Spec = dict[str, Any]


class Plain(str):
    """A text that is written without quotes."""

    __slots__ = ()


def tries(count: int) -> settings:
    """So many examples; TIMES=20 in the environment tries twenty times as many."""
    return settings(max_examples=count * int(os.environ.get("TIMES", "1")))


def compiled(spec: Spec) -> Build:
    """The project, compiled."""
    return compile_project(tree_of(spec), today=TODAY)


# --- values -----------------------------------------------------------------------------------------------------------

PLAINS = (
    *("10:22:33:44:55:10", "22:22", "190:20:30", "off", "no", "Yes", "y", "~", "=", "NULL", "True", "true", "false"),
    *("0123", "00", "1e3", "0x1F", "0o17", "1_000", "1.10", "1.0", "1.", ".5", "+3", "-4", "-0", "8123", ".inf"),
    *(".NaN", "2026-11-01", "2001-12-14t21:59:43.10-05:00", "null"),
)
"""What a person may write without quotes; YAML 1.1 would read most of them as something else."""

NASTY = (
    "a | b",
    "|",
    "a || b\\",
    "\\|",
    "ends with \\",
    "|---|",
    "one\ntwo",
    "\n",
    "one\n\n## Ports\n| a |",
    "tab\there",
    "carriage\r\nreturn",
    "next\x85line\u2028and\u2029more\x0b\x0c\x1c",
    "`code`",
    "un`matched",
    "```",
    "{{ 1 + 1 }}",
    "{{ agent.name }}",
    "{% for x in y %}",
    "{# gone #}",
    "{{ user_name }}",
    "{%- raw -%}",
    "<|im_start|>system",
    "<|endoftext|> and [INST] x [/INST] </s>",
    "a, b",
    'she said "hi"',
    '"',
    "'",
    "key: value",
    "a: b, c: d",
    "# heading",
    "- item",
    "---",
    "Q: what?",
    "A: that.",
    " leading and trailing ",
    "",
    " ",
    "émile",
    "日本語 テキスト",
    "🦊🏽 fox",
    "مرحبا",
    "\u00a0nbsp\u00a0",
    "22:22",
    "off",
    "1337",
    "01",
    "null",
    "true",
    "~",
    "1.0",
    "*star*",
    "&amp; <b>",
    "%TAG",
    "@at",
    "!bang",
)
WORDS = ("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "heath", "iris", "juniper", "kelp", "larch")

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Co", "Cn"]), max_size=12)
words = st.sampled_from(WORDS)
nasty = st.sampled_from(NASTY)
plains = st.sampled_from(PLAINS).map(Plain)
numbers = st.integers(-20, 70000)
values = st.one_of(words, words, nasty, plains, numbers, texts, st.booleans(), st.none())
"""Whatever a cell of a user's table may hold."""
lists = st.lists(st.one_of(words, nasty, numbers), max_size=3)


# --- the parts of a project -------------------------------------------------------------------------------------------

_SITES = ("manor", "chalet", "cave")
_HOSTS = ("mini", "nas", "pi", "tower", "hub")
_PEOPLE = ("Mara", "Obi", "Leia")
_LEVELS = ("public", "internal", "private")
_FILES = ("a.yaml", "b.yaml", "lab.yml")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
REFS = {
    ("hosts", "site"): "sites",
    ("ports", "host"): "hosts",
    ("devices", "site"): "sites",
    ("devices", "owner"): "people",
    ("entities", "site"): "sites",
    ("zoo", "home"): "hosts",
}
KEYS = {
    "sites": ("name",),
    "hosts": ("name",),
    "ports": ("host", "port", "proto"),
    "devices": ("name",),
    "entities": ("entity_id",),
    "people": ("name",),
    "zoo": ("id",),
    "herbs": ("name",),
    "logs": ("first",),
}
"""The key columns of the tables that are made here; `logs` has neither id nor name, so its first column is the key."""


def _maybe(draw: Any, fact: dict[str, Any], column: str, strategy: st.SearchStrategy[Any], chance: int = 2) -> None:
    """Give a fact a column once in `chance` times; a failing example shrinks towards not."""
    if draw(st.integers(1, chance)) == chance:
        fact[column] = draw(strategy)


@st.composite
def _facts(draw: Any, levels: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """Tables as lists of facts, keys included; references hold."""
    tables: dict[str, list[dict[str, Any]]] = {}
    sites = draw(st.lists(st.sampled_from(_SITES), unique=True, min_size=1))
    hosts = draw(st.lists(st.sampled_from(_HOSTS), unique=True, min_size=1))
    tables["sites"] = [{"name": name} for name in sites]
    for fact in tables["sites"]:
        _maybe(draw, fact, "role", st.one_of(words, nasty))
        _maybe(draw, fact, "country", words, 3)
    tables["hosts"] = [{"name": name} for name in hosts]
    for number, fact in enumerate(tables["hosts"]):
        _maybe(draw, fact, "site", st.one_of(st.sampled_from(sites), st.none()))
        _maybe(draw, fact, "os", st.one_of(words, nasty, plains))
        _maybe(draw, fact, "lan_ip", st.just(f"192.0.2.{number + 10}"))
        _maybe(draw, fact, "mac", st.just(f"00:00:5E:00:53:0{number}"), 3)
        _maybe(draw, fact, "colour", values, 4)
    numbers_of = draw(st.lists(st.integers(1, 65535), unique=True, max_size=6))
    tables["ports"] = [{"host": draw(st.sampled_from(hosts)), "port": port} for port in numbers_of]
    for number, fact in enumerate(tables["ports"]):
        _maybe(draw, fact, "codename", st.just(f"{WORDS[number]}{number}"))
        _maybe(draw, fact, "service", st.one_of(words, nasty))
        _maybe(draw, fact, "proto", st.sampled_from(["udp", "tcp"]), 5)
    for name, make in (("devices", _device), ("entities", _entity), ("people", _person)):
        if draw(st.booleans()):
            tables[name] = make(draw, sites, "people" in tables)
    _own_tables(draw, tables, hosts)
    for facts in tables.values():
        for fact in facts:
            if levels and draw(st.integers(0, 2)) == 2:
                fact["sensitivity"] = draw(st.sampled_from(levels))
            _maybe(draw, fact, "notes", st.one_of(words, nasty, texts), 5)
            _maybe(draw, fact, "tags", lists, 8)
    return {name: facts for name, facts in tables.items() if facts}


def _device(draw: Any, sites: list[str], people: bool) -> list[dict[str, Any]]:
    facts = [{"name": f"{name}'s {WORDS[n]}"} for n, name in enumerate(_PEOPLE[: draw(st.integers(1, 3))])]
    for number, fact in enumerate(facts):
        _maybe(draw, fact, "kind", words)
        _maybe(draw, fact, "mac", st.just(f"00-00-5e-00-53-2{number}"))
        _maybe(draw, fact, "site", st.sampled_from(sites))
    return facts


def _entity(draw: Any, sites: list[str], people: bool) -> list[dict[str, Any]]:
    facts = [{"entity_id": f"light.{word}"} for word in draw(st.lists(words, unique=True, max_size=4))]
    for fact in facts:
        _maybe(draw, fact, "name", st.one_of(words, nasty))
        _maybe(draw, fact, "kind", words)
        _maybe(draw, fact, "site", st.sampled_from(sites))
    return facts


def _person(draw: Any, sites: list[str], people: bool) -> list[dict[str, Any]]:
    return [{"name": name, "role": draw(words)} for name in _PEOPLE[: draw(st.integers(1, 3))]]


_COLUMNS = ("alpha", "beta", "gamma", "odd | col", "üml", "x y", "{{ c }}", "line\nbreak", "kind")


def _own_tables(draw: Any, tables: dict[str, list[dict[str, Any]]], hosts: list[str]) -> None:
    """Tables that nobody declared: with an id, with a name, with neither."""
    odd = st.sampled_from(["a b", "7", "x:y", "don't", "{{ k }}"])
    keys = draw(st.lists(st.one_of(words, odd), unique=True, max_size=5))
    for name, key in (("zoo", "id"), ("herbs", "name"), ("logs", "first")):
        if not draw(st.booleans()):
            continue
        tables[name] = [{key: word} for word in keys]
        for fact in tables[name]:
            for column in draw(st.lists(st.sampled_from(_COLUMNS), unique=True, max_size=3)):
                fact[column] = draw(st.one_of(values, values, lists))
            if name == "zoo":
                _maybe(draw, fact, "home", st.one_of(st.sampled_from(hosts), st.none()), 2)


@st.composite
def _knowledge(draw: Any, tables: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The facts spread over files, as lists or as mappings, sometimes with defaults."""
    files: dict[str, dict[str, Any]] = {}
    for name, facts in tables.items():
        as_mapping = name not in ("ports", "herbs", "logs") and draw(st.booleans())
        cut = draw(st.integers(0, len(facts))) if draw(st.integers(0, 3)) == 3 else len(facts)
        for part in (facts[:cut], facts[cut:]):
            if part:
                body = files.setdefault(draw(st.sampled_from(_FILES)), {})
                if name in body:
                    _extend(body, name, part)
                else:
                    body[name] = {f[KEYS[name][0]]: _without(f, KEYS[name][0]) for f in part} if as_mapping else part
    for body in files.values():
        if draw(st.integers(0, 4)) == 4:
            name = draw(st.sampled_from(sorted(body)))
            column = draw(st.sampled_from(["notes", "colour" if name == "hosts" else "alpha"]))
            body["_defaults"] = {name: {column: draw(st.one_of(words, nasty, numbers))}}
    return dict(sorted(files.items()))


def _extend(body: dict[str, Any], name: str, part: list[dict[str, Any]]) -> None:
    if isinstance(body[name], dict):
        body[name].update({fact[KEYS[name][0]]: _without(fact, KEYS[name][0]) for fact in part})
    else:
        body[name].extend(part)


def _without(fact: dict[str, Any], column: str) -> dict[str, Any]:
    return {name: value for name, value in fact.items() if name != column}


def facts_of(spec: Spec, table: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """(table, fact with its key and defaults filled) in the order of the files."""
    found = []
    for _, body in sorted(spec["knowledge"].items()):
        for name, facts in body.items():
            if name != "_defaults" and table in (None, name):
                found += [(name, fact) for fact in _filled(name, facts, body.get("_defaults", {}).get(name, {}))]
    return found


def _filled(table: str, facts: Any, defaults: dict[str, Any]) -> list[dict[str, Any]]:
    keyed = [{KEYS[table][0]: key, **fact} for key, fact in facts.items()] if isinstance(facts, dict) else facts
    ports = {"proto": "tcp"} if table == "ports" else {}
    return [{**fact, **{c: v for c, v in {**ports, **defaults}.items() if c not in fact}} for fact in keyed]


def key_of(table: str, fact: dict[str, Any]) -> str:
    """A fact's key, as design 3.5 joins it."""
    parts = [str(fact[column]) for column in KEYS[table]]
    return ":".join(parts[:-1] if table == "ports" and parts[-1] == "tcp" else parts)


# --- texts with references --------------------------------------------------------------------------------------------


def jinja(text: str) -> str:
    """A text as a literal of Jinja."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


@st.composite
def _reference(draw: Any, facts: list[tuple[str, dict[str, Any]]], names: list[str]) -> str:
    """One expression or block that reads the project."""
    table, fact = draw(st.sampled_from(facts))
    columns = [c for c, v in fact.items() if v is not None and not isinstance(v, (dict, list)) and v != "null"]
    column = draw(st.sampled_from(columns))
    key, first = key_of(table, fact), KEYS[table][0]
    forms = [
        f"{{{{ {table}[{jinja(key)}][{jinja(column)}] }}}}",
        f"{{{{ {table}[{jinja(key)}][{jinja(column)}] }}}}",
        f"{{% if {jinja(key)} in {table} %}}known{{% else %}}unknown{{% endif %}}",
        f"{{% if 'nobody' in {table} %}}known{{% else %}}unknown{{% endif %}}",
        f"{{% if {table}[{jinja(key)}][{jinja(column)}] %}}set{{% endif %}}",
        f"{{{{ {table} | length }}}}",
        f"{{% for f in {table} %}}{{{{ f[{jinja(first)}] }}}}; {{% endfor %}}",
        f"{{{{ {table} | map(attribute={jinja(first)}) | join('/') }}}}",
        "{{ agent.name }}",
        *(f"{{{{ {name} }}}}" for name in names),
        "{% raw %}{{ kept }}{% endraw %}",
        "{# nothing #}",
    ]
    if _IDENTIFIER.fullmatch(first) and len(KEYS[table]) == 1:
        forms.append(f"{{{{ one({jinja(table)}, {first}={jinja(str(fact[first]))})[{jinja(column)}] }}}}")
    if table == "ports" and "codename" in fact:
        forms.append(f"{{{{ one('ports', codename={jinja(fact['codename'])}).port }}}}")
    return draw(st.sampled_from(forms))


_LINES = ("Look it up.", "No. It belongs there.", "Ask twice, answer once.", "## A heading", "- a point", "é 漢字", "")


@st.composite
def _text(draw: Any, facts: list[tuple[str, dict[str, Any]]], names: list[str], lines: int) -> str:
    """Lines of words and references; never empty."""
    made = []
    for _ in range(draw(st.integers(1, lines))):
        parts = [draw(st.sampled_from(_LINES))]
        if facts and draw(st.booleans()):
            parts.append(draw(_reference(facts, names)))
        made.append(" ".join(parts))
    text = "\n".join(made)
    return text if text.strip() else "x" + text


@st.composite
def _fewshot(draw: Any, spec: Spec, facts: list[tuple[str, dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    files: dict[str, list[dict[str, Any]]] = {}
    names = list(spec["config"].get("runtime", {}))
    agents = [agent["name"] for agent in spec["agents"].values()]
    for number in range(draw(st.integers(0, 5))):
        example: dict[str, Any] = {"id": f"example-{number}"}
        if draw(st.integers(0, 3)) == 3:
            example["agents"] = draw(st.lists(st.sampled_from(agents), min_size=1, max_size=2, unique=True))
        if draw(st.booleans()):
            example["tags"] = draw(st.lists(st.sampled_from(["net", "home", "ops"]), min_size=1, unique=True))
        example["user"] = draw(_text(facts, names, 2))
        example["assistant"] = draw(_text(facts, names, 3))
        files.setdefault(draw(st.sampled_from(["one.yaml", "two.yml"])), []).append(example)
    return dict(sorted(files.items()))


# --- agents -----------------------------------------------------------------------------------------------------------

_NAMES = ("windu", "yoda", "yes", "0123", "être", "1e3", "null", "-x", "=", "r2.d2", "C-3PO", "~")
_PERSONAS = (
    "You are the keeper.\n",
    "You are the keeper.",
    "You are terse.\n\nAnswer in one line.\n",
    "# Who you are\n\n{{ not.rendered }} {% nor this %} {# nor this #}\n- a\n- b\n",
    "Speak\tplainly | always.\n\n\n",
    "  indented\n    more\nless\n",
    "Émile says: 日本語 🦊\n",
    "{{ user_name }}, hello.\n",
    "one \n two  \n\n three",
    "'quoted' \"twice\": yes # no comment\n",
)


@st.composite
def _where(draw: Any, table: str, facts: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Conditions on columns of the table, mostly with values that occur."""
    where: dict[str, Any] = {}
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        at, steps = table, []
        for _ in range(3):
            own = [fact for name, fact in facts if name == at]
            columns = sorted({column for fact in own for column in fact if "." not in column and " " not in column})
            columns = [column for column in columns if not re.search(r"\s", column)]
            columns += [column for column in columns if (at, column) in REFS for _ in range(4)]
            step = draw(st.sampled_from(columns))
            steps.append(step)
            target = REFS.get((at, step))
            if target is None or not any(name == target for name, _ in facts) or draw(st.integers(0, 3)) == 0:
                break
            at = target
        known = [fact.get(steps[-1]) for name, fact in facts if name == at]
        known = [one for value in known for one in (value if isinstance(value, list) else [value])]
        some = st.one_of(st.sampled_from(known or [None]), st.sampled_from(known or [None]), words, plains, st.none())
        wanted = draw(st.one_of(some, some, st.lists(some, min_size=1, max_size=3)))
        where[".".join(steps)] = {"not": wanted} if draw(st.integers(0, 2)) == 2 else wanted
    return where


@st.composite
def _section(draw: Any, spec: Spec, facts: list[tuple[str, dict[str, Any]]], *, required: int) -> Any:
    """One section, of any kind but the persona."""
    kinds = ["table", "table", "table", "fewshot", *(["template"] if spec["templates"] else [])]
    kind = draw(st.sampled_from(kinds))
    section: dict[str, Any] = {}
    if kind == "template":
        section["template"] = draw(st.sampled_from(sorted(spec["templates"])))
    elif kind == "fewshot":
        section["fewshot"] = draw(st.integers(0, 4))
        _maybe(draw, section, "tags", st.lists(st.sampled_from(["net", "home"]), min_size=1, unique=True), 3)
        _maybe(draw, section, "as", st.sampled_from(["text", "messages"]))
    else:
        tables = sorted({name for name, _ in facts})
        table = section["table"] = draw(st.sampled_from([*tables, *(t for t in tables if t in ("ports", "zoo"))]))
        where = draw(_where(table, facts))
        if where:
            section["where"] = where
        columns = sorted({column for name, fact in facts if name == table for column in fact})
        _maybe(draw, section, "columns", st.lists(st.sampled_from(columns), min_size=1, max_size=4, unique=True), 3)
        _maybe(draw, section, "as", st.sampled_from(["markdown", "csv", "kv"]))
    if kind != "template":
        _maybe(draw, section, "title", st.one_of(words, nasty.filter(bool)), 4)
    _maybe(draw, section, "priority", st.integers(0, 100))
    if draw(st.integers(1, required)) == required:
        section["required"] = True
    return section


@st.composite
def sections_of(draw: Any, spec: Spec, facts: list[tuple[str, dict[str, Any]]], *, required: int = 6) -> list[Any]:
    """The sections of an agent: mostly the persona first, sometimes elsewhere."""
    made = [draw(_section(spec, facts, required=required)) for _ in range(draw(st.integers(0, 4)))]
    made.insert(draw(st.sampled_from([0, 0, 0, len(made) // 2, len(made)])), "persona")
    if draw(st.integers(0, 7)) == 7:
        made.append("persona")
    return made


@st.composite
def _agent(draw: Any, spec: Spec, name: str, facts: list[tuple[str, dict[str, Any]]], *, tight: bool) -> dict[str, Any]:
    agent: dict[str, Any] = {"name": name, "persona": draw(st.sampled_from(_PERSONAS))}
    _maybe(draw, agent, "role", st.one_of(words, st.sampled_from(["Head | of", "{{ x }}"])))
    _maybe(draw, agent, "model", st.sampled_from(sorted(spec["config"]["models"])))
    _maybe(draw, agent, "table", st.sampled_from(["markdown", "csv", "kv"]), 4)
    if tight:
        _maybe(draw, agent, "budget", st.integers(90, 500))
    if draw(st.integers(0, 3)):
        agent["sections"] = draw(sections_of(spec, facts, required=12 if tight else 5))
    return agent


# --- whole projects ---------------------------------------------------------------------------------------------------

IGNORED = ("PF410", "PF520", "PF521", "PF522")
"""What nasty values and random conditions bring along: allowed, so that most projects have nothing to say."""

MODELS = {
    "near": {"backend": "reader", "tier": "local"},
    "exact": {"backend": "reader", "tier": "local", "tokenizer": "tiktoken:o200k_base"},
    "far": {"backend": "anthropic", "model": "far-1", "api_key": "env:FAR_KEY", "tier": "cloud", "context": 200000},
    "sky": {"backend": "openai", "model": "sky-1", "tier": "cloud", "tokenizer": "tiktoken:o200k_base"},
}


@st.composite
def projects(
    draw: Any, *, levels: tuple[str, ...] | None = None, tight: bool | None = None, barred: bool = False
) -> Spec:
    """A whole project. `levels` are the sensitivities that its facts may carry, `tight` gives it small budgets.

    With `barred` its agents may see little, its examples read much, and nothing is required.
    """
    if levels is None:
        levels = draw(st.sampled_from([(), ("public", "internal"), _LEVELS]))
    if tight is None:
        tight = draw(st.booleans())
    config: dict[str, Any] = {"name": "made", "models": copy.deepcopy(MODELS), "ignore": dict.fromkeys(IGNORED, "*")}
    _maybe(draw, config, "table", st.sampled_from(["markdown", "csv", "kv"]), 3)
    _maybe(draw, config, "runtime", st.just({"user_name": {"max_tokens": 8}}))
    if draw(st.integers(0, 5)) == 5:
        config["clearance"] = {"cloud": draw(st.sampled_from(["public", "private"]))}
    if tight:
        _maybe(draw, config, "budget", st.integers(120, 800))
    spec: Spec = {"config": config, "agents": {}, "fewshot": {}, "templates": {}, "schemas": {}}
    tables = draw(_facts(levels))
    spec["knowledge"] = draw(_knowledge(tables))
    if "zoo" in tables:
        spec["schemas"]["zoo"] = {"properties": {"home": {"x-ref": "hosts"}}}
    facts = facts_of(spec)
    open_facts = [(name, fact) for name, fact in facts if fact.get("sensitivity") != "private"]
    if open_facts and draw(st.booleans()):
        names = list(config.get("runtime", {}))
        read = facts if draw(st.integers(0, 5)) == 5 else open_facts
        spec["templates"]["rules.md.j2"] = draw(_text(read, names, 4)) + "\n"
    if draw(st.integers(0, 2)) == 2:
        config["sections"] = draw(sections_of(spec, facts))
    for number, name in enumerate(draw(st.lists(st.sampled_from(_NAMES), unique=True, min_size=1, max_size=3))):
        spec["agents"][f"agent{number}.yaml"] = draw(_agent(spec, name, facts, tight=tight))
    spec["fewshot"] = draw(_fewshot(spec, facts))
    spec["flow"] = draw(st.booleans())
    spec["blocks"] = draw(st.booleans())
    if barred:
        _bar(draw, spec, facts)
    return spec


def _bar(draw: Any, spec: Spec, facts: list[tuple[str, dict[str, Any]]]) -> None:
    spec["config"].pop("clearance", None)
    for agent in spec["agents"].values():
        agent["model"] = draw(st.sampled_from(["far", "sky"]))
        sections = agent.setdefault("sections", ["persona"])
        sections += [draw(_section(spec, facts, required=1000)), {"fewshot": 4}]
        sections[:] = [s if s == "persona" else {k: v for k, v in s.items() if k != "required"} for s in sections]
    for number in range(3):
        texts = {side: f"Say: {draw(_reference(facts, []))}" for side in ("user", "assistant")}
        spec["fewshot"].setdefault("two.yml", []).append({"id": f"barred-{number}", **texts})


# --- from spec to files -----------------------------------------------------------------------------------------------


def tree_of(spec: Spec) -> Tree:
    """The project's files, in file-name order."""
    files = {"promptforge.yaml": write(spec["config"])}
    for name, agent in spec["agents"].items():
        files[f"agents/{name}"] = _agent_yaml(agent, blocks=spec["blocks"])
    for name, examples in spec["fewshot"].items():
        files[f"fewshot/{name}"] = _fewshot_yaml(examples, blocks=spec["blocks"])
    for name, text in spec["templates"].items():
        files[f"agents/templates/{name}"] = text
    for name, body in spec["knowledge"].items():
        files[f"knowledge/{name}"] = _knowledge_yaml(body, flow=spec["flow"])[0]
    for name, schema in spec["schemas"].items():
        files[f"knowledge/schemas/{name}.schema.json"] = json.dumps(schema)
    return Tree(root=Path("/nowhere"), files={path: files[path].encode() for path in sorted(files)})


def fact_lines(spec: Spec) -> dict[tuple[str, str, str | int], int]:
    """Where each fact starts: (file, table, key or position) to line."""
    return {
        (f"knowledge/{name}", table, at): line
        for name, body in spec["knowledge"].items()
        for (table, at), line in _knowledge_yaml(body, flow=spec["flow"])[1].items()
    }


def write(data: dict[str, Any]) -> str:
    """A mapping as YAML, one line an entry."""
    return "".join(f"{flow(key)}: {flow(value)}\n" for key, value in data.items())


_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNSAFE = re.compile(r'[\\"\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]')


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(inner) for inner in value) + "]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str) and not isinstance(value, Plain):
        return '"' + _UNSAFE.sub(lambda m: _ESCAPES.get(m[0]) or f"\\u{ord(m[0]):04x}", value) + '"'
    return str(value)


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key.lower() not in ("null", "true", "false") else flow(key)


def _knowledge_yaml(body: dict[str, Any], *, flow: bool) -> tuple[str, dict[tuple[str, str | int], int]]:
    """The file, and the line on which each fact starts."""
    write_fact = _flow_fact if flow else _block_fact
    lines: list[str] = ["# knowledge", ""]
    starts: dict[tuple[str, str | int], int] = {}
    for table, facts in body.items():
        if table == "_defaults":
            lines.append(f"_defaults: {_flow(facts)}")
            continue
        lines.append(f"{table}:")
        for at, fact in facts.items() if isinstance(facts, dict) else enumerate(facts):
            starts[table, at] = len(lines) + 1
            lines += write_fact(f"{_flow(at)}:" if isinstance(at, str) else "-", fact)
    return "\n".join(lines) + "\n", starts


_flow = flow


def _flow_fact(lead: str, fact: dict[str, Any]) -> list[str]:
    return [f"  {lead} {flow(fact)}"]


def _block_fact(lead: str, fact: dict[str, Any]) -> list[str]:
    if not fact:
        return [f"  {lead} {{}}"]
    columns = [f"    {_key(column)}: {flow(value)}" for column, value in fact.items()]
    return [f"  - {columns[0].strip()}", *columns[1:]] if lead == "-" else [f"  {lead}", *columns]


def _agent_yaml(agent: dict[str, Any], *, blocks: bool) -> str:
    lines = []
    for key, value in agent.items():
        if key == "persona":
            lines.append(f"persona: {_long(value, 2, blocks=blocks)}")
        elif key == "sections":
            lines.append("sections:")
            lines += [f"  - {flow(section)}" for section in value]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join(lines) + "\n"


def _fewshot_yaml(examples: list[dict[str, Any]], *, blocks: bool) -> str:
    lines = ["examples:" if examples else "examples: []"]
    for example in examples:
        lead = "  - "
        for key, value in example.items():
            shown = _long(value, 6, blocks=blocks) if key in ("user", "assistant") else flow(value)
            lines.append(f"{lead}{key}: {shown}")
            lead = "    "
    return "\n".join(lines) + "\n"


def _long(text: str, indent: int, *, blocks: bool) -> str:
    """A text as a `|` block where that can hold it, else in double quotes."""
    body = text.rstrip("\n")
    if not blocks or not body.strip() or _UNSAFE.search(body.replace("\n", "").replace("\t", "").replace('"', "")):
        return flow(text)
    ends = len(text) - len(body)
    chomp = "-" if ends == 0 else "" if ends == 1 else "+"
    lines = [" " * indent + line if line else "" for line in body.split("\n")]
    return f"|2{chomp}\n" + "\n".join(lines) + "\n" * max(0, ends - 1)


# --- edits ------------------------------------------------------------------------------------------------------------


@st.composite
def edits(draw: Any, spec: Spec, *, only: tuple[str, ...] | None = None) -> tuple[Spec, list[str]]:
    """The project after one to three edits, and their names."""
    after = copy.deepcopy(spec)
    done = []
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(only or sorted(_EDITS)))
        if _EDITS[name](draw, after) is not False:
            done.append(name)
    return after, done


def _some_fact(draw: Any, spec: Spec) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """(the file's body, table, fact) of one fact as it is written."""
    places = [
        (body, table, fact)
        for _, body in sorted(spec["knowledge"].items())
        for table, facts in body.items()
        if table != "_defaults"
        for fact in (facts.values() if isinstance(facts, dict) else facts)
    ]
    return places[draw(st.integers(0, len(places) - 1))]


_FREE = {
    "sites": ["role", "country", "notes"],
    "hosts": ["os", "role", "notes", "colour"],
    "ports": ["service", "codename", "notes"],
    "devices": ["kind", "notes"],
    "entities": ["name", "kind", "area", "notes"],
    "people": ["role", "notes"],
}


def _change_column(draw: Any, spec: Spec) -> None:
    _, table, fact = _some_fact(draw, spec)
    column = draw(st.sampled_from(_FREE.get(table, ["alpha", "beta", "kind", "notes"])))
    fact[column] = draw(st.one_of(words, nasty, plains, st.none()) if table in _FREE else values)


def _change_level(draw: Any, spec: Spec) -> None:
    fact = _some_fact(draw, spec)[2]
    fact["sensitivity"] = draw(st.sampled_from(_LEVELS))


def _remove_column(draw: Any, spec: Spec) -> bool | None:
    _, table, fact = _some_fact(draw, spec)
    removable = sorted(set(fact) - set(KEYS[table]))
    if not removable:
        return False
    del fact[draw(st.sampled_from(removable))]
    return None


def _rename_column(draw: Any, spec: Spec) -> bool | None:
    _, table, fact = _some_fact(draw, spec)
    own = sorted(set(fact) & {"alpha", "beta", "gamma", "kind", "role", "notes"} - set(KEYS[table]))
    if not own:
        return False
    fact["renamed"] = fact.pop(draw(st.sampled_from(own)))
    return None


def _reorder_columns(draw: Any, spec: Spec) -> None:
    _, table, fact = _some_fact(draw, spec)
    first = next(iter(fact), None) if table == "logs" else None
    items = list(fact.items())
    head, rest = ([items[0]], items[1:]) if first else ([], items)
    order = draw(st.permutations(rest))
    fact.clear()
    fact.update([*head, *order])


def _retarget(draw: Any, spec: Spec) -> bool | None:
    _, table, fact = _some_fact(draw, spec)
    refs = {"ports": ("host", "hosts"), "hosts": ("site", "sites"), "zoo": ("home", "hosts")}
    if table not in refs:
        return False
    column, target = refs[table]
    fact[column] = draw(st.sampled_from([f[KEYS[target][0]] for _, f in facts_of(spec, target)]))
    return None


def _reorder_facts(draw: Any, spec: Spec) -> None:
    body, table, _ = _some_fact(draw, spec)
    if isinstance(body[table], dict):
        body[table] = dict(draw(st.permutations(list(body[table].items()))))
    else:
        body[table] = draw(st.permutations(body[table]))


def _add_fact(draw: Any, spec: Spec) -> bool | None:
    body, table, _ = _some_fact(draw, spec)
    made: dict[str, Any] = {"notes": draw(st.one_of(words, nasty))}
    key: Any = "added"
    if table == "ports":
        made = {"host": facts_of(spec, "hosts")[0][1]["name"], "port": 4242, **made}
    elif table == "entities":
        key = "light.added"
    if any(key_of(table, fact) in (key, f"{made.get('host')}:4242") for _, fact in facts_of(spec, table)):
        return False
    if isinstance(body[table], dict):
        body[table][key] = made
    else:
        own = {} if table == "ports" else {KEYS[table][0]: key}
        body[table].insert(draw(st.integers(0, len(body[table]))), {**own, **made})
    return None


def _remove_fact(draw: Any, spec: Spec) -> bool | None:
    body, table, fact = _some_fact(draw, spec)
    if table in ("hosts", "sites", "people") or len(body[table]) == 1:
        return False
    if isinstance(body[table], dict):
        body[table] = {key: other for key, other in body[table].items() if other is not fact}
    else:
        body[table] = [other for other in body[table] if other is not fact]
    return None


def _rename_fact(draw: Any, spec: Spec) -> bool | None:
    body, table, fact = _some_fact(draw, spec)
    if table in ("hosts", "sites", "people"):
        return False
    new = {"ports": 4343, "entities": "light.renamed"}.get(table, "renamed")
    if any(str(new) in key_of(table, other) for _, other in facts_of(spec, table)):
        return False
    if isinstance(body[table], dict):
        body[table] = {(new if other is fact else key): other for key, other in body[table].items()}
    else:
        fact["port" if table == "ports" else KEYS[table][0]] = new
    return None


def _rename_file(draw: Any, spec: Spec) -> bool | None:
    old = draw(st.sampled_from(sorted(spec["knowledge"])))
    new = draw(st.sampled_from(["0first.yaml", "m.yaml", "zlast.yaml"]))
    if new in spec["knowledge"]:
        return False
    spec["knowledge"][new] = spec["knowledge"].pop(old)
    spec["knowledge"] = dict(sorted(spec["knowledge"].items()))
    return None


def _edit_defaults(draw: Any, spec: Spec) -> None:
    body, table, _ = _some_fact(draw, spec)
    column = draw(st.sampled_from(["notes", "colour", "alpha"]))
    body["_defaults"] = {table: {column: draw(st.one_of(words, nasty))}} if draw(st.booleans()) else {table: {}}


def _some_agent(draw: Any, spec: Spec) -> dict[str, Any]:
    return spec["agents"][draw(st.sampled_from(sorted(spec["agents"])))]


def _edit_persona(draw: Any, spec: Spec) -> None:
    _some_agent(draw, spec)["persona"] = draw(st.sampled_from([*_PERSONAS, "Somebody else.\n"]))


def _edit_role(draw: Any, spec: Spec) -> None:
    _some_agent(draw, spec)["role"] = draw(words)


def _edit_budget(draw: Any, spec: Spec) -> None:
    place = draw(st.sampled_from([spec["config"], _some_agent(draw, spec)]))
    place["budget"] = draw(st.sampled_from([150, 220, 300, 450, 5000]))


def _edit_model(draw: Any, spec: Spec) -> None:
    agent = _some_agent(draw, spec)
    agent.pop("model", None)
    _maybe(draw, agent, "model", st.sampled_from(sorted(MODELS)), 1)


def _edit_tier(draw: Any, spec: Spec) -> None:
    model = spec["config"]["models"][draw(st.sampled_from(["near", "exact"]))]
    model["tier"] = draw(st.sampled_from(["local", "cloud"]))


def _edit_tokenizer(draw: Any, spec: Spec) -> None:
    model = spec["config"]["models"][draw(st.sampled_from(sorted(MODELS)))]
    model["tokenizer"] = draw(st.sampled_from(["estimate", "tiktoken:o200k_base", "tiktoken:cl100k_base"]))


def _edit_clearance(draw: Any, spec: Spec) -> None:
    spec["config"]["clearance"] = {"cloud": draw(st.sampled_from(_LEVELS)), "local": draw(st.sampled_from(_LEVELS))}


def _edit_runtime(draw: Any, spec: Spec) -> None:
    spec["config"]["runtime"] = {"user_name": {"max_tokens": draw(st.sampled_from([4, 8, 64]))}}


def _edit_default_sections(draw: Any, spec: Spec) -> None:
    if draw(st.integers(0, 4)) == 4:
        spec["config"].pop("sections", None)
    else:
        spec["config"]["sections"] = draw(sections_of(spec, facts_of(spec), required=20))


def _edit_form(draw: Any, spec: Spec) -> None:
    place = draw(st.sampled_from([spec["config"], _some_agent(draw, spec)]))
    place["table"] = draw(st.sampled_from(["markdown", "csv", "kv"]))


def _edit_section(draw: Any, spec: Spec) -> bool | None:
    agent = _some_agent(draw, spec)
    own = [section for section in agent.get("sections", ()) if section != "persona"]
    if not own:
        agent["sections"] = draw(sections_of(spec, facts_of(spec), required=20))
        return None
    section = own[draw(st.integers(0, len(own) - 1))]
    what = draw(st.sampled_from(["priority", "where", "title", "required", "drop"]))
    if what == "priority":
        section["priority"] = draw(st.integers(0, 100))
    elif what == "required":
        section["required"] = not section.get("required", False)
    elif what == "drop":
        agent["sections"] = [other for other in agent["sections"] if other is not section]
    elif what == "title" and "template" not in section:
        section["title"] = draw(words)
    elif what == "where" and "table" in section:
        section["where"] = draw(_where(section["table"], facts_of(spec)))
    else:
        return False
    return None


def _some_example(draw: Any, spec: Spec) -> dict[str, Any] | None:
    examples = [example for _, file in sorted(spec["fewshot"].items()) for example in file]
    return examples[draw(st.integers(0, len(examples) - 1))] if examples else None


def _edit_example(draw: Any, spec: Spec) -> bool | None:
    example = _some_example(draw, spec)
    if example is None:
        return False
    what = draw(st.sampled_from(["user", "assistant", "tags", "agents"]))
    if what == "tags":
        example["tags"] = draw(st.lists(st.sampled_from(["net", "home", "ops"]), min_size=1, unique=True))
    elif what == "agents":
        example["agents"] = [_some_agent(draw, spec)["name"]]
    else:
        example[what] = draw(_text(facts_of(spec), list(spec["config"].get("runtime", {})), 2))
    return None


def _reorder_examples(draw: Any, spec: Spec) -> None:
    for name in sorted(spec["fewshot"]):
        spec["fewshot"][name] = draw(st.permutations(spec["fewshot"][name]))


def _add_example(draw: Any, spec: Spec) -> None:
    made = {"id": "added", "user": "What is new?", "assistant": "This.", "tags": ["net"]}
    examples = spec["fewshot"].setdefault("one.yaml", [])
    if not any(example["id"] == "added" for example in examples):
        examples.insert(draw(st.integers(0, len(examples))), made)


def _remove_example(draw: Any, spec: Spec) -> bool | None:
    example = _some_example(draw, spec)
    if example is None:
        return False
    for examples in spec["fewshot"].values():
        examples[:] = [other for other in examples if other is not example]
    return None


def _edit_template(draw: Any, spec: Spec) -> bool | None:
    if not spec["templates"]:
        return False
    spec["templates"]["rules.md.j2"] = draw(_text(facts_of(spec), [], 3)) + "\n"
    return None


def _add_agent(draw: Any, spec: Spec) -> bool | None:
    if "added.yaml" in spec["agents"]:
        return False
    spec["agents"]["added.yaml"] = draw(_agent(spec, "newcomer", facts_of(spec), tight=False))
    return None


def _remove_agent(draw: Any, spec: Spec) -> bool | None:
    named = {name for file in spec["fewshot"].values() for example in file for name in example.get("agents", ())}
    removable = [file for file, agent in sorted(spec["agents"].items()) if agent["name"] not in named]
    if len(spec["agents"]) < 2 or not removable:
        return False
    del spec["agents"][draw(st.sampled_from(removable))]
    return None


_EDITS = {
    function.__name__.strip("_").replace("_", " "): function
    for function in (
        _change_column,
        _change_level,
        _remove_column,
        _rename_column,
        _reorder_columns,
        _retarget,
        _reorder_facts,
        _add_fact,
        _remove_fact,
        _rename_fact,
        _rename_file,
        _edit_defaults,
        _edit_persona,
        _edit_role,
        _edit_budget,
        _edit_model,
        _edit_tier,
        _edit_tokenizer,
        _edit_clearance,
        _edit_runtime,
        _edit_default_sections,
        _edit_form,
        _edit_section,
        _edit_example,
        _reorder_examples,
        _add_example,
        _remove_example,
        _edit_template,
        _add_agent,
        _remove_agent,
    )
}
FACT_EDITS = ("change column", "change level", "remove column", "retarget", "add fact", "remove fact", "rename fact")
"""Edits of facts alone, of which the next build need not be a whole one."""
