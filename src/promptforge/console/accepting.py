"""What a person writes to accept what `drift` found."""

from collections.abc import Iterator
from glob import escape

from promptforge.compiler.builtin import KEYS
from promptforge.model import written
from promptforge.workbench.drift import Drift, Finding

__all__ = ["how_to_accept", "unused_words"]


def unused_words(words: str) -> str:
    """About an acceptance that accepts nothing."""
    return f"'{words}' accepts nothing any more; delete it"


def how_to_accept(drift: Drift) -> Iterator[str]:
    """What a person writes who knows of the first finding of each sort, and wants it that way."""
    for one in drift.findings:
        if one.fact is not None and one.kind != "ambiguous":
            place = f"{one.fact.file}:{one.fact.line}"
            yield f"where it is meant so: {place}  # promptforge: allow drift {_pins(one)} REASON"
            break
    missing = next((one for one in drift.findings if one.kind == "missing"), None)
    if missing is not None:
        yield f"where nobody need know it: in promptforge.yaml  ignore: {{drift: [{_in_list(missing)}]}}"


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
