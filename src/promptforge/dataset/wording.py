"""A text of a row, references filled in. Plain substitutions are done here: hundreds of thousands are made.

A template that is only words and `{{ name }}` or `{{ fact.column }}` comes out as the renderer would write it, in a
tenth of the time; whatever is more than that, or cannot be printed, goes to the renderer.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from promptforge.model import Fact, Rendered, Text, written
from promptforge.text import Renderer

__all__ = ["Wording", "uses_fact"]

_SLOT = re.compile(r"\{\{[ \t]*([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?[ \t]*\}\}")
_BRACE = re.compile(r"[{}\r]")


_KEPT = 1 << 15


class _Plain(NamedTuple):
    """A template of words and slots alone."""

    form: str
    """With `%(name)s` for `{{ name }}`, and `%(fact.column)s` for `{{ fact.column }}`."""
    columns: tuple[str, ...]
    """Those of the fact."""


@lru_cache(maxsize=4096)
def _plain(source: str) -> _Plain | None:
    """None for any template that is more than that."""
    columns: list[str] = []
    form, end = [], 0
    for slot in _SLOT.finditer(source):
        if slot[2] and slot[1] != "fact":
            return None
        columns += [slot[2]] if slot[2] else []
        words = source[end : slot.start()]
        if _BRACE.search(words):
            return None
        form += [words.replace("%", "%%"), f"%({slot[1]}.{slot[2]})s" if slot[2] else f"%({slot[1]})s"]
        end = slot.end()
    if _BRACE.search(source, end):
        return None
    return _Plain("".join([*form, source[end:].replace("%", "%%")]), tuple(dict.fromkeys(columns)))


def uses_fact(text: Text) -> bool:
    """Whether a template may print its `fact`, rather than only what it is told of it."""
    plain = _plain(text.source)
    return bool(plain.columns) if plain is not None else "fact" in text.source


class Wording:
    """Fills in the texts of one project."""

    def __init__(self, renderer: Renderer, clean: Callable[[str], str] = str) -> None:
        """`clean` is what the renderer does to each printed text."""
        self._renderer, self._clean = renderer, clean
        self._cleaned: dict[str, str] = {}

    def fill(
        self, texts: Sequence[Text], names: Mapping[str, str], fact: Fact | None, agent: tuple[str, str | None]
    ) -> list[Rendered | str]:
        """The texts; as the renderer gives them where only the renderer can tell what it read. Raises TextError."""
        known = self._cleaned
        if len(known) > _KEPT:
            known.clear()
        cleaned = {name: known.get(value) or self._once(value) for name, value in names.items()}
        return [self._one(text, names, cleaned, fact, agent) for text in texts]

    def _once(self, value: str) -> str:
        """A value cleaned, and remembered: the same few are printed again and again."""
        cleaned = self._cleaned[value] = self._clean(value)
        return cleaned

    def _one(
        self,
        text: Text,
        names: Mapping[str, str],
        cleaned: dict[str, str],
        fact: Fact | None,
        agent: tuple[str, str | None],
    ) -> Rendered | str:
        plain = _plain(text.source)
        if plain is not None:
            values = self._with_columns(plain.columns, cleaned, fact) if plain.columns else cleaned
            try:
                return plain.form % values
            except KeyError:
                pass  # something is missing: the renderer says what
        return self._renderer.render(text, agent=agent, fact=fact, **names)

    def _with_columns(self, columns: Sequence[str], cleaned: dict[str, str], fact: Fact | None) -> dict[str, str]:
        values, known = dict(cleaned), fact.values if fact is not None else {}
        for column in columns:
            value = known.get(column)
            if value is not None:
                values[f"fact.{column}"] = self._clean(written(value))
        return values
