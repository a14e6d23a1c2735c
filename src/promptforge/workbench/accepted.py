"""Differences that a person knows and accepts: what sources show is held against them, and what they cover is quiet.

A fact says it itself, in a comment at the end of its line; what is in no table and need not be stands in
promptforge.yaml: `ignore: {drift: [ports/mini:9100]}`. One that accepts nothing any more is told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from promptforge.compiler.acceptance import Acceptance, as_acceptance
from promptforge.compiler.beside import Beside
from promptforge.compiler.build import Build
from promptforge.files import CONFIG
from promptforge.model import Fact, Table, canonical, written
from promptforge.source import Span
from promptforge.workbench.holding import Difference, Held
from promptforge.workbench.matching import Match
from promptforge.yamlio import comments

__all__ = ["Accepted", "read_accepted"]

_WORD = "promptforge: allow"
_ANY = "*"


@dataclass(slots=True, kw_only=True)
class _Known:
    """One acceptance."""

    span: Span
    words: str
    """As it is written, for a person."""
    said: Acceptance | None = None
    """None: a glob of promptforge.yaml."""
    glob: str = ""
    used: bool = False


class Accepted:
    """All that is accepted in a project."""

    def __init__(
        self, tables: Mapping[str, Table], facts: Mapping[str, Sequence[_Known]], globs: Sequence[_Known]
    ) -> None:
        """By fact what its line says, and the globs of promptforge.yaml."""
        self._tables, self._facts, self._globs = tables, facts, globs

    def quiet(self, held: Held) -> Held:
        """What was held, without what is accepted."""
        if not self._facts and not self._globs:
            return held
        accepted: list[str] = []
        differences = [one for all_of_it in held.differences if (one := self._without(all_of_it, accepted))]
        new = [one for one in held.new if not self._is_ignored(f"{one.seen.table}/{one.seen.key}", accepted)]
        not_seen = [one for one in held.not_seen if not self._is_unseen(one, accepted)]
        doubtful = [one for one in held.doubtful if not self._is_no_doubt(one, accepted)]
        return replace(
            held,
            differences=tuple(differences),
            new=tuple(new),
            not_seen=tuple(not_seen),
            doubtful=tuple(doubtful),
            accepted=tuple(dict.fromkeys(accepted)),
        )

    def _without(self, one: Difference, accepted: list[str]) -> Difference | None:
        """A difference without its accepted columns; nothing where none is left."""
        if self._is_ignored(one.fact.id, accepted):
            return None
        left, new_key = dict(one.columns), one.new_key
        for known in self._facts.get(one.fact.id, ()) if one.differs else ():
            for column in [
                column for column, (_, theirs) in left.items() if self._fits(known, one.fact, column, theirs)
            ]:
                del left[column]
                known.used = True
            key = self._tables[one.fact.table].key
            if new_key and any(self._fits(known, one.fact, column, one.seen.values.get(column)) for column in key):
                new_key, known.used = "", True
        if len(left) < len(one.columns) or new_key != one.new_key:
            accepted.append(one.fact.id)
            one = replace(one, columns=left, new_key=new_key)
        return one if one.differs or one.unset else None

    def _fits(self, known: _Known, fact: Fact, column: str, theirs: object) -> bool:
        said = known.said
        if said is None or said.whole:
            return said is not None
        kind = self._tables[fact.table].kind(column)
        pinned = [value for name, value in said.pins if name == column]
        return any(value == _ANY or canonical(value, kind) == canonical(written(theirs), kind) for value in pinned)

    def _is_ignored(self, id_: str, accepted: list[str]) -> bool:
        found = [known for known in self._globs if fnmatchcase(id_, known.glob)]
        for known in found:
            known.used = True
        accepted += [id_] if found else []
        return bool(found)

    def _is_unseen(self, fact: Fact, accepted: list[str]) -> bool:
        found = [k for k in self._facts.get(fact.id, ()) if k.said is not None and (k.said.unseen or k.said.whole)]
        for known in found:
            known.used = True
        accepted += [fact.id] if found else []
        return bool(found) or self._is_ignored(fact.id, accepted)

    def _is_no_doubt(self, one: Match, accepted: list[str]) -> bool:
        facts = [fact.id for fact in one.perhaps]
        found = [k for id_ in facts for k in self._facts.get(id_, ()) if k.said is not None and k.said.whole]
        for known in found:
            known.used = True
        accepted += facts[:1] if found else []
        return bool(found) or self._is_ignored(f"{one.seen.table}/{one.seen.key}", accepted)

    def unused(self, helds: Sequence[Held]) -> Iterator[tuple[Span, str]]:
        """What accepts nothing although these sources speak of it, with its place and what it says."""
        tables = {seen.table for held in helds for seen in held.observation.seen}
        shown: dict[str, set[str]] = {}
        for held in helds:
            for id_, columns in held.shown.items():
                shown.setdefault(id_, set()).update(columns)
        told = [known for known in self._globs if not known.used and known.glob.partition("/")[0] in tables]
        for id_, of_fact in self._facts.items():
            told += [known for known in of_fact if not known.used and id_ in shown and _speaks(known, shown[id_])]
        yield from {known.span: (known.span, known.words) for known in told}.values()


def _speaks(known: _Known, columns: set[str]) -> bool:
    """Whether a source that shows these columns of a fact would have to differ for the acceptance to be of use."""
    assert known.said is not None
    return not known.said.pins or any(column in columns for column, _ in known.said.pins)


def read_accepted(build: Build) -> Accepted:
    """What the files of a project accept."""
    beside = Beside(build.project.tables)
    facts: dict[str, list[_Known]] = {}
    for file, document in build.documents.items():
        for line, column, rest in comments(document, _WORD) if file.startswith("knowledge/") else ():
            said = as_acceptance(rest)
            if said is not None:
                span = Span(file=file, line=line, column=column, length=len(_WORD) + 2)
                known = _Known(span=span, words=f"allow {rest}", said=said)
                for fact in beside.facts(document, line):
                    facts.setdefault(fact.id, []).append(known)
    config = build.documents.get(CONFIG)
    globs = [
        _Known(
            span=config.span(("ignore", "drift")) if config else Span(file=CONFIG), words=f"drift: {glob}", glob=glob
        )
        for glob in build.project.config.ignore.get("drift", ())
    ]
    return Accepted(build.project.tables, facts, globs)
