"""Texts that an import cleaned: the mark that it leaves beside their fact, and the note on it.

The mark is a comment, so no prompt ever holds it; it moves with its line, is seen by whoever reads the file, and is in
every clone. Deleting it says: I have looked.
"""

import re
from collections.abc import Iterator, Sequence

from promptforge.compiler.beside import Beside
from promptforge.compiler.load import Loaded
from promptforge.model import Project
from promptforge.source import Diagnostic, Span
from promptforge.yamlio import comments

__all__ = ["cleaned_mark", "cleaned_texts"]

_WORD = "promptforge: cleaned"
_NEXT = re.compile(r"\s+#.*$")
_PLAIN = re.compile(r"[^\w.:;,()'/ -]")


def cleaned_mark(done: Sequence[str], source: str) -> str:
    """The comment about what was done to which columns of a fact; empty where nothing was.

    >>> cleaned_mark(["name: 1 line break", "name: 6 signs replaced", "os: 1 chat marker"], "leases")
    '# promptforge: cleaned name (1 line break; 6 signs replaced), os (1 chat marker) from leases'
    """
    columns: dict[str, list[str]] = {}
    for one in done:
        column, _, words = one.partition(": ")
        columns.setdefault(column, []).append(words)
    told = ", ".join(f"{column} ({'; '.join(words)})" for column, words in columns.items())
    return f"# {_WORD} {_PLAIN.sub('?', told)} from {_PLAIN.sub('?', source)}" if told else ""


def cleaned_texts(project: Project, loaded: Loaded) -> Iterator[Diagnostic]:
    """A note for each mark that is still there."""
    beside: Beside | None = None
    for document in loaded.knowledge.values():
        for line, column, rest in comments(document, _WORD):
            beside = beside or Beside(project.tables)
            facts = beside.facts(document, line)
            name = f"{facts[0].table} '{facts[0].key}'" if len(facts) == 1 else "a fact of this line"
            what = _NEXT.sub("", rest)
            message = f"{name} was cleaned when it was imported" + (f": {what}" if what else "")
            hint = "look whether it says what it should; then delete the comment"
            span = Span(file=document.file, line=line, column=column, length=len(_WORD) + 2)
            yield Diagnostic(code="PF523", span=span, message=message, hint=hint)
