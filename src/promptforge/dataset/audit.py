"""Rows, whoever wrote them -> an audit: one pass over the files, then the join. Holds no more than it says it does."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from promptforge.dataset.claims import COMPARED, claims, stale
from promptforge.dataset.contamination import Written
from promptforge.dataset.duplicates import Copies, Near
from promptforge.dataset.findings import DEFAULT_LIMITS, Audit, Finding, Level, Limits, Place, Tally
from promptforge.dataset.kinds import KindRules, column_of
from promptforge.dataset.lengths import Lengths, limits_of
from promptforge.dataset.naming import NOTHING, Namer, Names
from promptforge.dataset.provenance import Beside, told
from promptforge.dataset.readfile import Broken, Source, rows_of
from promptforge.dataset.rows import Kind
from promptforge.dataset.shapes import Seen
from promptforge.dataset.skew import Skew
from promptforge.dataset.traps import FileLook, traps
from promptforge.dataset.verdict import judge_mix, judge_rows, ranked
from promptforge.errors import InputError, UsageError
from promptforge.source import did_you_mean
from promptforge.tokens import Tokenizer

__all__ = ["Against", "audit"]

Look = Callable[[str], str]
"""What is found in a text, in words that give nothing away; nothing where it is fine."""
Barred = Callable[[str, str], tuple[str, str, str] | None]
"""(agent, text) to the rule that is broken, the fact whose value the text holds, and both in words."""
_Found = tuple[str, tuple[str, str, str] | None]
_PROMPTS_KEPT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What rows are held against; what is None is not checked, and the audit says so."""

    limits: Limits = DEFAULT_LIMITS
    namer: Namer = field(default_factory=lambda: Namer({}))
    written: Written | None = None
    agents: tuple[str, ...] = ()
    secrets: Look | None = None
    private: Barred | None = None
    doubtful: frozenset[str] | None = None
    """Facts that somebody may not see: where no model is known, only rows that name one of them are looked at."""
    tokenizer: Tokenizer | None = None
    trainer: str = ""
    """mlx, trl, axolotl, llamafactory or openai; nothing where nobody knows."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The recipe's trainer settings."""
    recipe: str = ""
    model: str = ""
    kind_column: str = ""
    findings: tuple[Finding, ...] = ()
    """What is known before a row is read: of manifests."""
    compared: tuple[str, ...] = ()
    """What was compared for them."""
    unchecked: tuple[str, ...] = ()
    """Why something is None."""


def audit(sources: Sequence[Source], against: Against, *, seen: Callable[[int], None] | None = None) -> Audit:
    """Everything that is to be said of these files. Raises InputError where there is no row in them at all.

    `seen` is told how many rows were read, now and then.
    """
    auditor = _Auditor(against)
    for source in sources:
        auditor.file(source, seen)
    if not auditor.rows:
        said = next(iter(auditor.tally.places.values()), [Place(sources[0].name, 1, "the file is empty")])[0]
        raise InputError(f"no row in {', '.join(source.name for source in sources)}", hint=str(said))
    auditor.check_column()
    return auditor.told()


class _Auditor:
    """Looks at rows one after another, and keeps counts."""

    def __init__(self, against: Against) -> None:
        self._against = against
        self.tally = Tally()
        self.rows = 0
        self._files: list[FileLook] = []
        self._kinds: Counter[Kind] = Counter()
        self._rules: Counter[str] = Counter()
        self._rule_of = KindRules(against.agents, column=against.kind_column)
        self._skew = Skew(against.namer)
        self._lengths = (
            Lengths(against.tokenizer, limits_of(against.trainer, against.settings)) if against.tokenizer else None
        )
        self._copies = Copies(against.limits.exact_rows)
        self._near = Near()
        self._near_left_out = 0
        self._places = (array("H"), array("Q"))
        self._openings: set[bytes] = set()
        self._prompts: dict[tuple[str, str], _Found] = {}

    def file(self, source: Source, seen: Callable[[int], None] | None) -> None:
        """All rows of a file."""
        look, beside = FileLook(source, self.tally), Beside(source)
        self._files.append(look)
        for row in rows_of(source):
            if isinstance(row, Broken):
                look.bad(row)
                continue
            look.row(row)
            self._row(beside.of(row))
            if seen and self.rows % 1000 == 0:
                seen(self.rows)

    def _row(self, row: Seen) -> None:
        self.rows += 1
        pairs, own = self._said(row)
        question, answer = pairs[-1]
        namer = self._against.namer
        facts, places = told(row)
        kind = self._rule_of.given(row)
        # A row that says what it is and what it prints need not be searched for that.
        asked, said = (NOTHING, NOTHING) if kind and places else (namer.names(question), namer.names(answer))
        named = frozenset(facts or ()) | asked.facts | said.facts
        if not kind:
            of_facts = bool(named) or namer.called.calls(question) or namer.called.calls(answer)
            kind = self._rule_of.recognise(row, facts=of_facts, words=asked.words)
        if kind.kind == "replay":
            places = None  # made by nobody from the tables: what it prints is not known
        self._kinds[kind.kind] += 1
        self._rules[f"{kind.kind}: {kind.rule}"] += 1
        self._skew.see(facts, asked, said, speaks=kind.kind in ("infrastructure", "domain"))
        if self._lengths:
            self._lengths.see(row)
        self._leaks(row, named)
        self._alike(row, own)
        if namer.facts:
            found = stale(namer, places, answer) if places else claims(namer, question, asked, answer, said)
            for claim in found:
                what = f"“{claim.said}”, but {claim.fact}: {claim.known}"
                self.tally.add(f"claim.{claim.rule}", row.file, row.line, what)
        if self._against.written and self._against.written.cases:
            self._contaminated(row, pairs, asked, said, facts or (), places)

    def _said(self, row: Seen) -> tuple[list[tuple[str, str]], str]:
        """The pairs of question and answer, and the text that is the row's own.

        Turns before the last pair that another row begins with, word for word, are worked examples: a part of the
        prompt.
        """
        messages = row.messages
        if len(messages) <= 3:
            return [(row.question, row.answer)], row.spoken
        opening = "\x00".join([text for _, text in messages[:-2]])
        digest = blake2b(opening.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        if digest in self._openings:
            return [(row.question, row.answer)], "\n".join([text for _, text in messages[-2:]])
        if len(self._openings) < self._against.limits.near_rows:
            self._openings.add(digest)
        return list(_pairs(row)), row.spoken

    # --- what a row must not hold

    def _leaks(self, row: Seen, facts: frozenset[str]) -> None:
        agent = column_of(row.extra, "agent") or column_of(row.extra, "meta.agent")
        for role, text in row.messages:
            if role == "system" and self._leak(row, role, self._prompt(agent, text)):
                return
        doubtful = self._against.doubtful
        wanted = doubtful is None or not facts.isdisjoint(doubtful)
        if not any(self._look(agent, row.spoken, wanted)):
            return
        for role, text in row.messages:
            if role != "system":
                secret, barred = self._look(agent, text, wanted)
                if barred and doubtful is not None and barred[1] not in facts:
                    barred = None
                if self._leak(row, role, (secret, barred)):
                    return

    def _leak(self, row: Seen, role: str, found: _Found) -> bool:
        secret, barred = found
        if secret:
            self.tally.add("secret", row.file, row.line, f"{secret}, in the {role}'s turn")
        if barred:
            self.tally.add(barred[0], row.file, row.line, f"{barred[2]}, in the {role}'s turn")
        return bool(secret or barred)

    def _look(self, agent: str, text: str, wanted: bool) -> _Found:
        against = self._against
        secret = against.secrets(text) if against.secrets else ""
        return secret, against.private(agent, text) if against.private and wanted else None

    def _prompt(self, agent: str, text: str) -> _Found:
        """A system prompt is looked at once."""
        known = self._prompts.get((agent, text))
        if known is None:
            if len(self._prompts) >= _PROMPTS_KEPT:
                self._prompts.clear()
            known = self._prompts[agent, text] = self._look(agent, text, True)
        return known

    # --- what a row repeats

    def _alike(self, row: Seen, own: str) -> None:
        number = self._copies.rows
        if number < self._against.limits.exact_rows:
            self._places[0].append(len(self._files) - 1)
            self._places[1].append(row.line)
        first = self._copies.add(own)
        if first is not None:
            self.tally.add("duplicate.exact", row.file, row.line, f"a copy of {self._place(first)}")
        elif len(self._near) < self._against.limits.near_rows:
            self._near.add(number, own)
        else:
            self._near_left_out += 1

    def _place(self, number: int) -> str:
        return f"{self._files[self._places[0][number]].source.name}:{self._places[1][number]}"

    def _twins(self) -> int:
        count = 0
        for twin in self._near.twins():
            count += 1
            if self.tally.count("duplicate.near") < count:
                file = self._files[self._places[0][twin.row]].source.name
                what = f"{twin.jaccard:.0%} like {self._place(twin.other)}"
                self.tally.add("duplicate.near", file, self._places[1][twin.row], what)
        return count

    # --- what a row gives away

    def _contaminated(
        self,
        row: Seen,
        pairs: Sequence[tuple[str, str]],
        asked: Names,
        said: Names,
        facts: Sequence[str],
        places: Sequence[Any] | None,
    ) -> None:
        written, namer = self._against.written, self._against.namer
        for question, answer in pairs:
            last = (question, answer) == pairs[-1]
            known = (asked, said) if last else (namer.names(question), namer.names(answer))
            given = written and written.given(question, known[0], answer, known[1], told=places, facts=facts)
            if given:
                rule = "heldout" if given.tier == "heldout" else given.how
                self.tally.add(
                    f"contamination.{rule}", row.file, row.line, f"the case {given.case} ({given.tier}): {given.why}"
                )
                return

    # --- the end

    def check_column(self) -> None:
        """Raises UsageError where no row has the column that was named."""
        rules, column = self._rule_of, self._against.kind_column
        if rules.without < self.rows:
            return
        known = sorted(rules.others, key=lambda name: -rules.others[name])
        has = f"the columns with a text are {', '.join(known[:8])}" if known else "rows have no column with a text"
        raise UsageError(f"no row has the column '{column}'", hint=did_you_mean(column, known) or has)

    def told(self) -> Audit:
        """The audit."""
        against, limits = self._against, self._against.limits
        near = self._twins()
        skew = self._skew.top(self.rows)
        length = self._lengths.told() if self._lengths else None
        findings = [
            *against.findings,
            *judge_mix(self._kinds, self.rows, limits),
            *judge_rows(
                self.tally,
                self.rows,
                limits,
                exact=self._copies.copies,
                near=near,
                skew=skew,
                length=length,
                model=against.model,
            ),
            *traps(self._files, self.tally, trainer=against.trainer, batch_size=limits.batch_size),
            *self._unknown_kinds(),
        ]
        return Audit(
            files=tuple(look.seen() for look in self._files),
            rows=self.rows,
            kinds=dict(self._kinds),
            rules=dict(sorted(self._rules.items())),
            limits=limits,
            findings=ranked(findings),
            compared=tuple(self._compared()),
            unchecked=(*against.unchecked, *self._unchecked()),
            length=length,
            skew=skew,
            exact=self._copies.copies,
            near=near,
            recipe=against.recipe,
            model=against.model,
            trainer=against.trainer,
        )

    def _unknown_kinds(self) -> Iterator[Finding]:
        if unknown := self._rule_of.unknown:
            named = ", ".join(f"{name!r} ({count:,})" for name, count in sorted(unknown.items())[:8])
            text = f"the column of kinds has values that name no kind: {named}; these rows went by the rules"
            hint = "the kinds are identity, infrastructure, domain, jailbreak, replay"
            level: Level = "flag" if self._against.kind_column else "note"
            yield Finding(rule="kind.unknown", level=level, text=text, hint=hint, count=sum(unknown.values()))
        if without := self._rule_of.without:
            text = (
                f"{without:,} of {self.rows:,} rows do not have the column '{self._against.kind_column}': by the rules"
            )
            yield Finding(rule="kind.without", level="note", text=text, count=without)

    def _compared(self) -> Iterable[str]:
        against = self._against
        yield from against.compared
        yield "exact copies and near duplicates: user and assistant text, runs of three words, Jaccard of 0.7 or more"
        if against.written:
            yield f"contamination: {len(against.written.cases):,} written cases, by fact and column, and by wording"
        if against.namer.facts:
            yield COMPARED
        if against.secrets:
            yield "secrets and PINs, in every turn"
        if against.private:
            rows = "" if against.doubtful is None else ", in rows that name such a fact"
            yield f"values of private facts, in every usual spelling{rows}"
        if self._lengths:
            name = against.tokenizer.name if against.tokenizer else ""
            yield f"token lengths, with {'an estimate' if name == 'estimate' else name}"

    def _unchecked(self) -> Iterable[str]:
        limits = self._against.limits
        if self._near_left_out:
            yield (
                f"near duplicates: {self._near_left_out:,} rows beyond the first {limits.near_rows:,} different ones "
                "were not checked"
            )
        if not self._copies.complete:
            yield f"exact copies: rows beyond the first {limits.exact_rows:,} were not checked"


def _pairs(row: Seen) -> Iterator[tuple[str, str]]:
    question = ""
    for role, text in row.messages:
        if role == "user":
            question = text
        elif role == "assistant":
            yield question, text
    if row.messages[-1][0] != "assistant":
        yield row.question, row.answer
