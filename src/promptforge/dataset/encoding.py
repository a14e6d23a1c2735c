"""Texts and rows as pieces of JSON, made once and reused: a system prompt is the larger part of every row.

UTF-8 without a byte order mark, and a row is one line to every reader: the three line ends of Unicode that JSON
leaves as they are (U+0085, U+2028, U+2029) are escaped, too, because some readers split at them.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from json.encoder import encode_basestring

from promptforge.dataset.rows import Row
from promptforge.errors import InputError

__all__ = ["Encoder", "about", "check_row", "encoded", "rests", "trained_turns", "word"]

_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
_KEPT = 256
"""Prompts that are remembered: one for each agent, and no end of them where replay rows bring their own."""


def encoded(text: str) -> bytes:
    """A text as a JSON string. Raises UnicodeEncodeError for half a surrogate pair, which is no character."""
    written = encode_basestring(text)
    if not written.isascii():
        written = _LINE_ENDS.sub(lambda match: f"\\u{ord(match[0]):04x}", written)
    return written.encode()


word = lru_cache(maxsize=1024)(encoded)
"""`encoded`, remembered: for the few words that every row has one of, and for its facts, each written several times."""


class Encoder:
    """Encodes messages, and remembers the system prompts."""

    def __init__(self) -> None:
        self._prompts: dict[str, bytes] = {}

    def system(self, text: str) -> bytes:
        """A system prompt as a JSON string."""
        known = self._prompts.get(text)
        if known is None:
            if len(self._prompts) >= _KEPT:
                self._prompts.clear()
            known = self._prompts[text] = encoded(text)
        return known

    def content(self, role: str, text: str) -> bytes:
        """The content of a message as a JSON string."""
        return self.system(text) if role == "system" else encoded(text)

    def messages(self, row: Row) -> list[bytes]:
        """The row's messages, each as `{"role":…,"content":…}`."""
        form = b'{"role":%b,"content":%b}'
        return [form % (word(role), self.content(role, text)) for role, text in row.messages]


def about(row: Row, turn: int = 0) -> bytes:
    """What the row is, as members that follow others; `turn` numbers the lines of a row that makes several."""
    name = f"{row.id}#{turn}" if turn else row.id
    return b',"id":%b,"kind":%b,"category":%b,"agent":%b' % (
        encoded(name),
        word(row.kind),
        word(row.category),
        word(row.agent),
    )


def rests(row: Row) -> bytes:
    """The facts that the row rests on and what its answer prints of them, as members that follow others."""
    facts = b",".join(map(word, row.facts))
    asked = b",".join([b"[%b,%b]" % (word(fact), word(column)) for fact, column in row.asked])
    return b',"facts":[%b],"asked":[%b]' % (facts, asked)


def trained_turns(row: Row) -> Sequence[int]:
    """Where in its messages the answers stand: each is to be learnt."""
    return [at for at, (role, _) in enumerate(row.messages) if role == "assistant"]


def check_row(row: Row) -> None:
    """Refuse what a trainer would drop without a word, or trip over. Raises InputError, which names the row."""
    turns = row.messages[1:] if row.messages and row.messages[0][0] == "system" else row.messages
    roles = [role for role, _ in turns]
    wrong = ""
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2):
        wrong = "its turns are not user and assistant, one after the other, the assistant last"
    elif any(not text or text.isspace() for _, text in row.messages):
        wrong = "one of its messages is empty"
    if wrong:
        place = f"{row.file}:{row.line}: " if row.file else ""
        raise InputError(f"{place}the row {row.id} cannot be trained: {wrong}")
