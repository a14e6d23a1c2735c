"""`expect` of a case -> its checks: references filled in, and refused where no answer could meet them. Pure."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from promptforge.bench.cases import Check, Printed
from promptforge.bench.patterns import pattern_problem
from promptforge.bench.reading import folded
from promptforge.bench.texts import Seen, Texts, filled_in, many
from promptforge.bench.values import identity, mentions
from promptforge.document import Path
from promptforge.model import written
from promptforge.schema import bad_reference, invalid_schema
from promptforge.source import did_you_mean

__all__ = ["checks_of", "unfilled"]


def checks_of(
    texts: Texts, at: Path, expect: Mapping[str, Any], seen: Seen, *, tools: Sequence[str], variables: Mapping[str, str]
) -> tuple[Check, ...]:
    """The checks and vetoes of a case, in order. What is wrong is said, and then `seen` has failed.

    `tools` are the names of the suite's functions, `variables` the runtime names that the case fills.
    """
    reader = _Reader(texts, seen, tools, variables)
    found = [(kind, check) for kind, value in expect.items() for check in reader.checks(kind, (*at, kind), value)]
    if not seen.failed:
        reader.judge_together(at, found)
    return tuple(check for _, check in found)


class _Reader:
    """Reads the expectations of one case."""

    def __init__(self, texts: Texts, seen: Seen, tools: Sequence[str], variables: Mapping[str, str]) -> None:
        self.texts, self.seen, self.tools, self.variables = texts, seen, tools, variables

    def checks(self, kind: str, at: Path, value: Any) -> Iterator[Check]:
        match kind:
            case "all" | "any" | "none" | "order" | "equals" | "regex":
                yield self._texts(kind, at, value)
            case "abstain" | "refuse":
                if value is False and kind == "abstain":
                    self._fail("PF703", at, "'abstain' can only be true", "leave it out, or say what must be named")
                yield Check(kind=kind if value else "answer")
            case "tool":
                yield self._tool(at, value)
            case "json":
                if problem := invalid_schema(value) or bad_reference(value):
                    self._fail("PF705", at, f"no valid JSON Schema: {problem}", "see https://json-schema.org")
                unfilled(self.texts, at, value)
                yield Check(kind=kind, data=value)
            case "only":
                columns = many(value)
                for column in columns:
                    self.texts.column_exists(at, column, self.seen)
                yield Check(kind=kind, values=columns)

    def _fail(self, code: str, at: Path, message: str, hint: str) -> None:
        self.texts.say(code, at, message, hint)
        self.seen.failed = True

    def _texts(self, kind: str, at: Path, value: Any) -> Check:
        before, self.seen.failed = self.seen.failed, False  # what is wrong elsewhere hides nothing here
        places = [(*at, n) for n in range(len(value))] if isinstance(value, list) else [at]
        sources = value if isinstance(value, list) else [value]
        rendered = [self._rendered(place, one) for place, one in zip(places, sources, strict=True)]
        values = tuple(text for text, _ in rendered)
        if kind == "regex" and not self.seen.failed and (problem := pattern_problem(values[0])):
            self._fail("PF705", at, f"no valid regular expression: {problem}", "mend it, or use any: [...]")
        for place, text in zip(places, values, strict=True):
            if not text and not self.seen.failed:
                self._fail("PF703", place, f"'{kind}' expects an empty text", "name a value")
        self.seen.failed |= before
        forms = tuple(self._form(text, printed) for text, printed in rendered)
        printed = tuple(dict.fromkeys(p for _, some in rendered for p in some))
        return Check(kind=kind, values=values, forms=forms, printed=printed)

    def _rendered(self, at: Path, source: Any) -> tuple[str, list[Printed]]:
        text, printed = self.texts.render(at, source, self.seen)
        return filled_in(text, self.variables).strip(), printed

    def _form(self, text: str, printed: Sequence[Printed]) -> str:
        """The kind of the column whose value the text is, if it is one."""
        for fact, column in printed:
            table = self.texts.project.tables[fact.split("/", 1)[0]]
            known = table.by_key.get(fact.split("/", 1)[1])
            if known is not None and written(known.values.get(column)).strip() == text:
                return table.kind(column)
        return ""

    def _tool(self, at: Path, value: Mapping[str, Any]) -> Check:
        name = value["name"]
        if name not in self.tools:
            hint = did_you_mean(name, self.tools) or "declare it under tools: of the suite"
            self._fail("PF708", (*at, "name"), f"no tool '{name}' in this suite", hint)
        printed: list[Printed] = []
        arguments = self._filled((*at, "arguments"), value.get("arguments", {}), printed)
        data = {"name": name, "arguments": arguments}
        return Check(kind="tool", data=data, printed=tuple(dict.fromkeys(printed)))

    def _filled(self, at: Path, value: Any, printed: list[Printed]) -> Any:
        """Plain data with the references of its texts filled in."""
        if isinstance(value, dict):
            return {key: self._filled((*at, key), inner, printed) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled((*at, number), inner, printed) for number, inner in enumerate(value)]
        if isinstance(value, str):
            text, shown = self.texts.render(at, value, self.seen)
            printed += shown
            return filled_in(text, self.variables)
        return value

    # --- what only shows when all of it is there

    def judge_together(self, at: Path, found: Sequence[tuple[str, Check]]) -> None:
        """Say so where a veto forbids what a check wants: no answer could have the whole score."""
        forbidden = [(value, form) for kind, c in found if kind == "none" for value, form in _values(c)]
        for kind, check in found if forbidden else ():
            clashes = [(value, self._forbidding(value, forbidden)) for value in _wanted(check)]
            clashing = [(value, veto) for value, veto in clashes if veto]
            if not clashing or (kind == "any" and len(clashing) < len(clashes)):
                continue
            value, veto = clashing[0]
            message = f"'{kind}' wants '{value}', but 'none' forbids " + ("it" if value == veto else f"'{veto}'")
            self._fail("PF713", (*at, kind), message, "take it out of one of them: no answer can meet both")

    def _forbidding(self, text: str, forbidden: Iterable[tuple[str, str]]) -> str:
        """The value that must not be named and that a text names, as a score would find it."""
        for value, form in forbidden:
            if _may_name(text, value, form) and mentions(text, value, form):
                known = self.texts.facts.known
                if mentions(text, value, form, known.besides(value), known.values):
                    return value
        return ""


def _may_name(text: str, value: str, form: str) -> bool:
    """Whether it is worth looking: words are found only where each of them is. To look costs a pattern for each value.

    >>> _may_name("Memory Vault", "the vault", ""), _may_name("Memory Vault", "vault", "")
    (False, True)
    """
    if identity(value, form) is not None:
        return True
    usual = folded(text)
    return all(word in usual for word in re.findall(r"\w+", folded(value)))


def _values(check: Check) -> Iterator[tuple[str, str]]:
    return zip(check.values, check.forms, strict=True)


def _wanted(check: Check) -> Sequence[str]:
    """What an answer must say to meet a check."""
    if check.kind == "tool":
        arguments = check.data["arguments"]
        return [json.dumps(arguments, ensure_ascii=False, default=str)] if arguments else []
    return check.values if check.kind in ("all", "any", "equals", "order") else ()


def unfilled(texts: Texts, at: Path, value: Any) -> None:
    """Say so where a schema, which is sent or compared as it is, holds what looks like a reference."""
    if isinstance(value, dict):
        for key, inner in value.items():
            unfilled(texts, (*at, key), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            unfilled(texts, (*at, number), inner)
    elif isinstance(value, str) and ("{{" in value or "{%" in value):
        hint = "write the value itself; questions, `vars` and the other expectations may have references"
        texts.say("PF717", at, "references are not filled in here: it stays as it is written", hint)
