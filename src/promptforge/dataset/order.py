"""What is wrong with the turns of a row, whoever trains on it. Pure."""

import re
from collections.abc import Iterator
from itertools import pairwise

from promptforge.dataset.shapes import Seen

__all__ = ["TURNS", "turns"]

TURNS = {
    "turn.empty": "turns without a word, on which axolotl fails and others train on silence",
    "turn.marker": "a chat template's own mark inside a turn, which is read as the end or the start of one",
    "order.first": "no question before the first answer",
    "order.last": "the last turn is not the assistant's, so there is nothing to learn",
    "order.alternate": "user and assistant do not take turns",
    "system.twice": "a second system prompt",
    "system.late": "a system prompt after the first turn",
}
"""What each rule means."""
_MARK = re.compile(
    r"<\|(?:im_start|im_end|eot_id|start_header_id|end_header_id|endoftext|begin_of_text|turn)\|?>"
    r"|<(?:start|end)_of_turn>|<(?:bos|eos)>|</?s>|\[/?INST\]"
)


def turns(row: Seen) -> Iterator[str]:
    """The rules that a row breaks."""
    messages = row.messages
    roles = [role for role, _ in messages]
    if roles == ["system", "user", "assistant"] or roles == ["user", "assistant"]:  # nearly all of them
        pass
    elif row.shape == "text" and roles == ["assistant"]:
        pass  # a bare text has no turns
    else:
        yield from _order(roles)
    if not all(text and not text.isspace() for _, text in messages):
        yield "turn.empty"
    for role, text in messages:
        if role != "system" and ("<" in text or "[" in text) and _MARK.search(text):
            yield "turn.marker"
            return


def _order(roles: list[str]) -> Iterator[str]:
    if roles.count("system") > 1:
        yield "system.twice"
    if "system" in roles and roles[0] != "system":
        yield "system.late"
    spoken = [role for role in roles if role != "system"]
    if not spoken or spoken[0] != "user":
        yield "order.first"
    if not spoken or spoken[-1] != "assistant":
        yield "order.last"
    if any(not _may_follow(one, other) for one, other in pairwise(spoken)):
        yield "order.alternate"


def _may_follow(one: str, other: str) -> bool:
    if other == "tool":
        return one in ("assistant", "tool")
    if other == "assistant":
        return one in ("user", "tool")
    return one == "assistant"
