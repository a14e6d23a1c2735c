"""What a person writes to accept what `drift` found."""

from collections.abc import Sequence
from glob import escape

from promptforge.compiler.builtin import KEYS
from promptforge.model import written
from promptforge.workbench.drift import Drift, Finding

__all__ = ["acceptance", "acceptances", "how_to_ignore", "unused_words"]


def unused_words(words: str) -> str:
    """About an acceptance that accepts nothing."""
    return f"'{words}' accepts nothing any more; delete it"


def acceptance(one: Finding) -> str:
    """The comment at the end of its fact's line that accepts a finding, but for the reason; nothing where none can."""
    if one.fact is None or one.kind == "ambiguous":
        return ""
    return f"# promptforge: allow drift {_pins(one)} REASON"


def acceptances(drift: Drift) -> Sequence[str]:
    """By finding what a person writes who wants it that way, with the place."""
    said = [(one.fact, acceptance(one)) for one in drift.findings]
    return [f"{fact.file}:{fact.line}  {comment}" for fact, comment in said if fact is not None and comment]


def how_to_ignore(drift: Drift, most: int) -> str:
    """What a person writes who need not know of what is missing: all of it in one line, at most so many; or nothing."""
    missing = [_in_list(one) for one in drift.findings if one.kind == "missing"]
    if not missing:
        return ""
    names = ", ".join(missing[:most]) + (f" and {len(missing) - most:,} more" if len(missing) > most else "")
    if "drift" in drift.ignores:
        return f"to `drift`, which is under `ignore:` in promptforge.yaml, add  {names}"
    if drift.ignores:
        return f"under `ignore:` in promptforge.yaml add  drift: [{names}]"
    return f"in promptforge.yaml  ignore: {{drift: [{names}]}}"


def _pins(one: Finding) -> str:
    """A finding, as an acceptance names it."""
    values = [(column, theirs) for column, (_, theirs) in one.columns.items()]
    if one.kind == "moved":
        values = [("port", one.new_key.split(":")[1])]
    elif one.new_key and one.fact is not None:
        values.append((KEYS.get(one.table, ("name",))[0], one.new_key))
    pins = [f"{column}={_word(written(value))}" for column, value in values]
    return " ".join(pins) if pins else "unseen"


def _word(text: str) -> str:
    quote = '"' if '"' not in text else "'"
    return text if text and not set(text) & set(" \"'#") else f"{quote}{text}{quote}"


def _in_list(one: Finding) -> str:
    id_ = escape(f"{one.table}/{one.key}")
    return id_ if all(sign.isalnum() or sign in "./_:-" for sign in id_) else f'"{id_}"'
