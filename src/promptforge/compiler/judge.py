"""The judgement of facts and texts: forms, references, collisions, stale facts, secrets."""

import datetime
import ipaddress
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from promptforge.compiler.builtin import BUILTIN
from promptforge.compiler.forms import check_form, is_randomised
from promptforge.compiler.load import Loaded
from promptforge.compiler.scan import Finding, scan, suspicious
from promptforge.document import Document, Path
from promptforge.model import Fact, Project, Table, canonical, written
from promptforge.source import Diagnostic, Span, did_you_mean

__all__ = ["judge", "secrets_in_suites"]


def judge(
    project: Project, loaded: Loaded, *, today: datetime.date, tables: Collection[str] | None = None
) -> Iterator[Diagnostic]:
    """Everything wrong with the facts and texts of a linked project; of its tables only those named, if any are."""
    place = _place(loaded)
    for table in project.tables.values():
        if tables is not None and table.name not in tables:
            continue
        yield from _forms(table, place)
        yield from _references(table, project.tables, place)
        yield from _misspelt(table, loaded)
        yield from _stale(table, project.config.stale_after_days, today, place)
    if tables is None or not _COLLIDING.isdisjoint(tables):
        yield from _collisions(project.tables, place)
    yield from _secrets_in_facts(project, loaded)
    yield from _secrets_in_texts(loaded)


Place = Callable[[Fact, str], Span]


def _place(loaded: Loaded) -> Place:
    def place(fact: Fact, column: str) -> Span:
        return loaded.documents[fact.file].span((*fact.path, column) if column else fact.path)

    return place


def _forms(table: Table, place: Place) -> Iterator[Diagnostic]:
    present = set().union(*[fact.values for fact in table.facts])
    columns = [(column, about.kind) for column, about in table.columns.items() if column in present]
    typed = [(column, kind) for column, kind in columns if kind not in ("any", "text")]
    texts = [column for column, kind in columns if kind == "text"]
    for fact in table.facts:
        values = fact.values
        for column, kind in typed:
            value = values.get(column)
            if value is not None and (problem := check_form(kind, column, value)):
                yield Diagnostic(
                    code=problem.code, span=place(fact, column), message=problem.message, hint=problem.hint
                )
        for column in texts:
            if values.get(column).__class__ is dict:
                message, hint = f"'{column}' cannot be a mapping", "write a single value"
                yield Diagnostic(code="PF203", span=place(fact, column), message=message, hint=hint)
        if table.name == "devices" and not check_form("mac", "mac", mac := values.get("mac")) and mac is not None:
            macs = mac if isinstance(mac, list) else [mac]
            for one in macs:
                if is_randomised(one):
                    message = f"the MAC {written(one)} of '{fact.key}' is randomised (locally administered)"
                    hint = "it will change: switch off the private Wi-Fi address of the device, or leave the MAC out"
                    yield Diagnostic(code="PF330", span=place(fact, "mac"), message=message, hint=hint)


def _references(table: Table, tables: Mapping[str, Table], place: Place) -> Iterator[Diagnostic]:
    refs = [(c, about.ref) for c, about in table.columns.items() if about.ref]
    for column, target_name in refs:
        target = tables.get(target_name)
        if target is None and target_name == "people":
            continue  # an owner is checked only where the house keeps a table of people
        if target is None and target_name not in BUILTIN:
            continue  # said once, at the schema
        if target is not None and target.partial:
            continue  # what it names may stand in a file that could not be read
        known = target.by_key if target else {}
        hints: dict[str, str] = {}  # to look for a like word takes long, and a wrong one stands in many facts
        for fact in table.facts:
            value = fact.values.get(column)
            if value is None or (value.__class__ is str and value in known):
                continue
            for one in value if isinstance(value, list) else [value]:
                name = written(one)
                if name not in known:
                    if name not in hints:
                        hints[name] = did_you_mean(name, known) or f"add it to a table '{target_name}'"
                    hint, message = hints[name], f"no '{name}' in {target_name}"
                    yield Diagnostic(code="PF301", span=place(fact, column), message=message, hint=hint)


def _misspelt(table: Table, loaded: Loaded) -> Iterator[Diagnostic]:
    if table.name not in BUILTIN:
        near = [
            name
            for name in BUILTIN
            if sorted(name) == sorted(table.name) or get_close_matches(table.name, [name], cutoff=0.85)
        ]
        if near and table.facts:
            message, hint = f"the table '{table.name}' looks like '{near[0]}' misspelt", f"did you mean '{near[0]}'?"
            span = loaded.documents[table.facts[0].file].span((table.name,), key=True)
            yield Diagnostic(code="PF333", span=span, message=message, hint=hint)
        # A table of the user's may have any column; only a sensitivity that is not read would do harm.
        known: Iterable[str] = ("sensitivity",)
    else:
        known = table.declared
    meant = {c: _meant(c, known) for c in table.columns if c not in table.declared}
    if not any(meant.values()):
        return
    for fact in table.facts:
        for column in fact.values:
            if word := meant.get(column):
                message = f"{table.name} has no column '{column}'"
                hint = f"did you mean '{word}'? (if not, declare it in knowledge/schemas/{table.name}.schema.json)"
                span = loaded.documents[fact.file].span((*fact.path, column), key=True)
                yield Diagnostic(code="PF205", span=span, message=message, hint=hint)


_OTHER_WORDS = frozenset(["wan_ip", "lan_ipv6", "portal", "macs", "ips"])
"""Columns of many a house that only look like known ones."""


def _meant(column: str, known: Iterable[str]) -> str:
    """The known column that a further one looks like, or nothing.

    >>> [_meant(c, ["port", "service", "mac"]) for c in ("servce", "Port", "mca", "port2", "vendor")]
    ['service', 'port', 'mac', '', '']
    """
    known = sorted(known)
    bare = column.lower().replace("-", "").replace("_", "").replace(" ", "")
    for word in known:
        if bare == word.replace("_", "") or (len(word) > 2 and sorted(word) == sorted(column)):
            return word
    if column.rstrip("0123456789_") in known or column in _OTHER_WORDS:
        return ""
    near = get_close_matches(column, known, n=1, cutoff=0.8)
    return near[0] if near else ""


def _stale(table: Table, days: int | None, today: datetime.date, place: Place) -> Iterator[Diagnostic]:
    if days is None or "verified" not in table.columns:
        return
    for fact in table.facts:
        text = fact.values.get("verified")
        if text is None or check_form("date", "verified", text):
            continue
        age = (today - datetime.date.fromisoformat(written(text))).days
        if age > days:
            message = f"{table.name} '{fact.key}' was last verified {age} days ago"
            hint = "look again and set `verified`, or raise stale_after"
            yield Diagnostic(code="PF332", span=place(fact, "verified"), message=message, hint=hint)


_COLLIDING = frozenset(["hosts", "devices", "ssh"])


def _collisions(tables: Mapping[str, Table], place: Place) -> Iterator[Diagnostic]:
    """One identifier claimed by two facts, where only one can have it."""
    if hosts := tables.get("hosts"):
        yield from _shared(hosts, "lan_ip", "PF322", "address", place, within="site")
        yield from _shared(hosts, "tailscale_ip", "PF322", "address", place)
        yield from _shared(hosts, "ssh", "PF323", "SSH alias", place)
        yield from _shared(hosts, "mac", "PF324", "MAC", place)
        yield from _public_addresses(hosts, place)
    if devices := tables.get("devices"):
        yield from _shared(devices, "mac", "PF324", "MAC", place)
    if hosts and (ssh := tables.get("ssh")):
        yield from _alias_clashes(hosts, ssh, place)


def _shared(table: Table, column: str, code: str, word: str, place: Place, *, within: str = "") -> Iterator[Diagnostic]:
    """Facts with an equal value in a column; with `within`, only where that column does not set them apart."""
    first: dict[object, list[Fact]] = {}
    kind = table.kind(column)
    for fact in table.facts:
        value = fact.values.get(column)
        for one in value if isinstance(value, list) else [value]:
            if one is None:
                continue
            others = first.setdefault(canonical(one, kind), [])
            for other in others:
                here, there = fact.values.get(within), other.values.get(within)
                if within and here is not None and there is not None and here != there:
                    continue  # two sites may use one private range
                message = f"'{other.key}' and '{fact.key}' of {table.name} have the same {word} {written(one)}"
                related = ((place(other, column), f"'{other.key}' has it here"),)
                yield Diagnostic(
                    code=code,
                    span=place(fact, column),
                    message=message,
                    hint=f"one of them has another {word}",
                    related=related,
                )
                break
            others.append(fact)


def _alias_clashes(hosts: Table, ssh: Table, place: Place) -> Iterator[Diagnostic]:
    by_alias = {written(h.values["ssh"]): h for h in hosts.facts if h.values.get("ssh") is not None}
    for fact in ssh.facts:
        host = by_alias.get(fact.key)
        target = fact.values.get("host")
        if host and target is not None and written(target) != host.key:
            message = f"the SSH alias '{fact.key}' leads to '{written(target)}' here and to '{host.key}' in hosts"
            related = ((place(host, "ssh"), "the other one"),)
            hint = "give one of the hosts another alias"
            yield Diagnostic(code="PF323", span=place(fact, "host"), message=message, hint=hint, related=related)


def _public_addresses(hosts: Table, place: Place) -> Iterator[Diagnostic]:
    for fact in hosts.facts:
        value = fact.values.get("lan_ip")
        if isinstance(value, str) and not check_form("ip", "lan_ip", value):
            address = ipaddress.ip_address(value)
            if address.is_global:
                message = f"the lan_ip {value} of '{fact.key}' is a public address"
                yield Diagnostic(
                    code="PF334", span=place(fact, "lan_ip"), message=message, hint="write its address at home"
                )


def _secrets_in_facts(project: Project, loaded: Loaded) -> Iterator[Diagnostic]:
    bad_files = {file: d.text.split("\n") for file, d in loaded.knowledge.items() if suspicious(d.text)}
    if not bad_files:
        return
    for file in bad_files:
        document = loaded.documents[file]
        if isinstance(document.data, dict) and "_defaults" in document.data:
            yield from _scan_value(document, ("_defaults",), "", document.data["_defaults"])
    for table in project.tables.values():
        for fact, raw in _raw_texts(table, bad_files):
            if suspicious(raw):
                document = loaded.documents[fact.file]
                for column, value in fact.values.items():
                    yield from _scan_value(document, (*fact.path, column), column, value)


def _raw_texts(table: Table, files: Mapping[str, Sequence[str]]) -> Iterator[tuple[Fact, str]]:
    """The facts of some files, each with the lines of its file up to the next fact."""
    facts = [fact for fact in table.facts if fact.file in files]
    for number, fact in enumerate(facts):
        lines = files[fact.file]
        after = facts[number + 1] if number + 1 < len(facts) else None
        end = after.line if after and after.file == fact.file and after.line > fact.line else None
        # A table's facts may share a line, and defaults stand elsewhere: then more is looked at than need be.
        yield fact, "\n".join(lines[fact.line - 1 : end])


def _scan_value(document: Document, path: Path, name: str, value: object) -> Iterator[Diagnostic]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _scan_value(document, (*path, number), name, item)
    elif isinstance(value, dict):
        for key, item in value.items():
            # `alarm: {code: …}` is an alarm_code; of _defaults only the column counts.
            named = f"{name}_{key}" if name else key if len(path) > 1 else ""
            yield from _scan_value(document, (*path, key), named, item)
    elif value is not None:
        for finding in scan(written(value), name=name):
            yield _finding(document, path, written(value), finding)


def _finding(document: Document, path: Path, text: str, finding: Finding) -> Diagnostic:
    before = text[: finding.start]
    place = document.span(path)
    if "\n" in text:
        line = document.text_line(path, before.count("\n") + 1)
        place = Span(file=document.file, line=line)
    else:
        line_text = document.text.split("\n")[place.line - 1]
        found_at = line_text.find(text[finding.start : finding.end], max(0, place.column - 1))
        if found_at >= 0:
            place = replace(place, column=found_at + 1, length=max(1, min(finding.end - finding.start, 80)))
    return Diagnostic(code=finding.code, span=place, message=finding.message, hint=finding.hint)


_INSTRUCTS = "PF520"


def _secrets_in_texts(loaded: Loaded) -> Iterator[Diagnostic]:
    """Personas, titles and examples. They are there to instruct a model, so that is not held against them."""
    config = (loaded.config,) if loaded.config else ()
    for document in _suspects([*config, *loaded.agents.values(), *loaded.fewshot.values()]):
        for path, value in _texts(document.data, ()):
            for finding in scan(value, name=str(path[-1])):
                if finding.code != _INSTRUCTS:
                    yield _finding(document, path, value, finding)
    for text in loaded.templates.values():
        for finding in scan(text.source, name="template"):
            if finding.code != _INSTRUCTS:
                line = text.source.count("\n", 0, finding.start) + 1
                column = finding.start - text.source.rfind("\n", 0, finding.start)
                span = Span(file=text.file, line=line, column=column, length=max(1, finding.end - finding.start))
                yield Diagnostic(code=finding.code, span=span, message=finding.message, hint=finding.hint)


_AT_ONCE = 64


def _suspects(documents: Sequence[Document]) -> Iterator[Document]:
    """The documents that may hold a secret. Many small files are looked at as one, which mostly clears them all."""
    for start in range(0, len(documents), _AT_ONCE):
        some = documents[start : start + _AT_ONCE]
        if suspicious(" \n".join([document.text for document in some]), orders=False):
            yield from (document for document in some if suspicious(document.text, orders=False))


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*path, number))
    elif isinstance(value, str) and path:
        yield path, value


# ---- Suites ----------------------------------------------------------------------------------------------------------

_SECRET_CODES = frozenset(["PF510", "PF511", "PF512", "PF513", "PF514", "PF515"])
_OF_A_SCHEMA = frozenset(["const", "default", "enum", "examples"])
"""What stands under these is a value of the property above."""
_NAMING = ("all", "any", "equals", "none", "order")


def secrets_in_suites(documents: Iterable[Document]) -> Iterator[Diagnostic]:
    """The secrets in suites. Orders to a model and markers of a chat are what attacks are made of: they may stand."""
    for document in _suspects(list(documents)):
        said = set()
        for path, name, text in (*_named_texts(document.data, (), ""), *_tool_texts(document.data)):
            for finding in scan(text, name=name):
                if finding.code in _SECRET_CODES and (path, finding.code) not in said:
                    said.add((path, finding.code))
                    yield _finding(document, path, text, finding)
        for path, question, value in _answers(document.data):
            asked = question.rstrip(" ?!.:\n") + ": "
            for finding in scan(asked + value):
                if finding.code in _SECRET_CODES and finding.start >= len(asked) and (path, finding.code) not in said:
                    span = finding._replace(start=finding.start - len(asked), end=finding.end - len(asked))
                    yield _finding(document, path, value, span)


def _named_texts(value: object, path: Path, name: str) -> Iterator[tuple[Path, str, str]]:
    """Every value as text, with the key that it belongs to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _named_texts(inner, (*path, key), name if key in _OF_A_SCHEMA else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _named_texts(inner, (*path, number), name)
    elif value is not None and not isinstance(value, bool):
        yield path, name, written(value)


def _cases(data: object) -> Iterator[tuple[Path, dict[str, Any], dict[str, Any]]]:
    """The cases of a suite with what they expect, as far as they have the right shape."""
    cases = data.get("cases") if isinstance(data, dict) else None
    for number, case in enumerate(cases if isinstance(cases, list) else ()):
        if isinstance(case, dict) and isinstance(expect := case.get("expect"), dict):
            yield ("cases", number), case, expect


def _tool_texts(data: object) -> Iterator[tuple[Path, str, str]]:
    """The arguments of the calls that are wanted: the `code` of the tool `disarm` is a disarm_code."""
    for at, _, expect in _cases(data):
        tool = expect.get("tool")
        if isinstance(tool, dict) and isinstance(tool.get("arguments"), dict):
            for path, name, text in _named_texts(tool["arguments"], (*at, "expect", "tool", "arguments"), ""):
                yield path, f"{tool.get('name', '')}_{name}", text


def _answers(data: object) -> Iterator[tuple[Path, str, str]]:
    """Each value that a case names, with its question: a number alone is no PIN, but `the door code?` makes it one."""
    for at, case, expect in _cases(data):
        turns = case.get("messages")
        last = turns[-1] if isinstance(turns, list) and turns and isinstance(turns[-1], dict) else {}
        question = written(case.get("ask", last.get("content")))
        for kind in _NAMING:
            for path, _, value in _named_texts(expect.get(kind), (*at, "expect", kind), ""):
                yield path, question, value
