"""What each trainer does with files that are not as it thinks: it crashes, drops rows, or learns the wrong thing. Pure.

Where the trainer is known, what it cannot read refuses the set. Of any file it is said who would stumble.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from promptforge.dataset.findings import FileSeen, Finding, Level, Tally
from promptforge.dataset.order import TURNS, turns
from promptforge.dataset.readfile import Broken, Source
from promptforge.dataset.shapes import Seen
from promptforge.dataset.unseen import UNSEEN, unseen

__all__ = ["FileLook", "traps"]

_READERS = {
    "messages": ("mlx", "trl", "axolotl", "llamafactory", "openai"),
    "tools": ("mlx", "trl", "axolotl", "llamafactory", "openai"),
    "completions": ("mlx", "trl"),
    "prompt-completion": ("trl",),
    "conversations": ("axolotl", "llamafactory"),
    "sharegpt": ("llamafactory",),
    "alpaca": ("llamafactory", "axolotl"),
    "text": ("mlx", "trl"),
}
"""Who reads which shape without being told more than where it is."""
_OPENAI_LEAST = 10


@dataclass(slots=True)
class FileLook:
    """A file while it is read."""

    source: Source
    tally: Tally
    shapes: Counter[str] = field(default_factory=Counter)
    first: str = ""
    """The shape of its first row, which decides for mlx_lm."""
    systems: int = 0
    several: int = 0
    """Rows with more than one answer."""
    broken: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0

    def row(self, row: Seen) -> None:
        """One more row."""
        self.shapes[row.shape] += 1
        if not self.first:
            self.first = row.shape
        elif row.shape != self.first:
            self.tally.add("mixed", row.file, row.line, f"{row.shape}, in a file that begins with {self.first}")
        self.systems += row.messages[0][0] == "system"
        if len(row.messages) > 3:
            self.several += sum(role == "assistant" for role, _ in row.messages) > 1
        for rule in turns(row):
            self.tally.add(rule, row.file, row.line)
        for rule, what in unseen(row):
            self.tally.add(rule, row.file, row.line, what)
        for odd in row.odd:
            self._odd(row, odd)

    def _odd(self, row: Seen, odd: str) -> None:
        kind, _, what = odd.partition(":")
        if kind == "key":
            self.tally.add("openai.key", row.file, row.line, f"the key '{what}' in a message")
        elif kind == "weight" and what not in ("0", "1"):
            self.tally.add("openai.weight", row.file, row.line, f"weight {what}")

    def bad(self, broken: Broken) -> None:
        """Something that is no row."""
        self.broken[broken.reason] += 1
        rule = f"file.{broken.reason.replace(' ', '-')}"
        self.tally.add(rule, broken.file, broken.line, broken.message)
        if broken.reason not in ("blank line", "byte order mark", "another encoding"):
            self.unreadable += 1

    @property
    def rows(self) -> int:
        """How many were read."""
        return self.shapes.total()

    def seen(self) -> FileSeen:
        """What it was."""
        try:
            size = self.source.path.stat().st_size
        except OSError:
            size = 0
        return FileSeen(
            file=self.source.name,
            split=self.source.split,
            rows=self.rows,
            shapes=dict(self.shapes.most_common()),
            set_aside=self.unreadable,
            bytes=size,
        )


def traps(files: Sequence[FileLook], tally: Tally, *, trainer: str, batch_size: int) -> Iterator[Finding]:
    """What is said of the files: of the trainer that is known, else of every one that reads such rows."""
    readers = (trainer,) if trainer else _readers(files)
    known = bool(trainer)
    yield from _unreadable(tally, known)
    yield from _turns(tally)
    yield from _unseen(tally, known)
    yield from _mixed(tally)
    if "mlx" in readers:
        yield from _mlx(files, tally, known, batch_size)
    if "openai" in readers:
        yield from _openai(files, tally, known)
    if "llamafactory" in readers and (count := tally.count("order.alternate") + tally.count("order.first")):
        text = f"LLaMA-Factory drops {_rows(count)} whose turns are not human and gpt in turn, with a line in its log"
        yield Finding(rule="llamafactory.order", level="note", text=text, count=count)
    if known:
        yield from _wrong_shape(files, trainer)


def _readers(files: Sequence[FileLook]) -> tuple[str, ...]:
    shapes = [shape for file in files for shape in file.shapes]
    return tuple(dict.fromkeys(reader for shape in shapes for reader in _READERS.get(shape, ())))


def _level(known: bool) -> Level:
    return "refuse" if known else "note"


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


_BAD = {
    "broken-line": ("lines that are no JSON", ""),
    "wrong-encoding": ("lines that are not UTF-8", ""),
    "another-encoding": (
        "files in another encoding than UTF-8, which no trainer reads",
        "; they are read here, and audited",
    ),
    "blank-line": ("blank lines", "; mlx_lm crashes on one, a trailing one included"),
    "byte-order-mark": ("files that begin with a byte order mark", "; mlx_lm and OpenAI refuse it"),
    "missing-key": ("rows without a key that they need", ""),
    "unknown-role": ("rows with a role that nobody knows", ""),
    "wrong-type": ("rows with a value of the wrong type", ""),
    "not-an-object": ("rows that are no object", ""),
    "empty": ("rows without a message", ""),
    "too-long": ("lines that are too long to be a row", ""),
    "broken-archive": ("archives that end too early", ""),
}


_READ = ("file.blank-line", "file.byte-order-mark", "file.another-encoding")
"""What is wrong with a file, but sets no row aside."""


def _unreadable(tally: Tally, known: bool) -> Iterator[Finding]:
    for rule in tally.under("file."):
        count, places = tally.count(rule), tally.at(rule)
        what = _BAD.get(rule.removeprefix("file."), (rule, ""))
        other = rule == "file.another-encoding"
        text = f"{what[0]}: {count:,}{what[1]}" + ("" if rule in _READ else "; they are set aside, the rest is audited")
        hint = "write it anew in UTF-8, without a byte order mark (iconv -t UTF-8)" if other else ""
        level: Level = "refuse" if other and known else "flag"
        yield Finding(rule=rule, level=level, text=text, hint=hint, count=count, places=places)


def _unseen(tally: Tally, known: bool) -> Iterator[Finding]:
    for rule, what in UNSEEN.items():
        if count := tally.count(rule):
            level: Level = "refuse" if known and rule == "text.surrogate" else "flag"
            yield Finding(rule=rule, level=level, text=f"{what}: {_rows(count)}", count=count, places=tally.at(rule))


def _turns(tally: Tally) -> Iterator[Finding]:
    for rule, what in TURNS.items():
        if count := tally.count(rule):
            yield Finding(rule=rule, level="flag", text=f"{what}: {_rows(count)}", count=count, places=tally.at(rule))


def _mixed(tally: Tally) -> Iterator[Finding]:
    if count := tally.count("mixed"):
        text = (
            f"{_rows(count)} of another shape than the first of their file: mlx_lm decides by line 1, and then fails "
            "or trains on the wrong keys"
        )
        yield Finding(
            rule="shape.mixed", level="flag", text=text, count=count, places=tally.at("mixed"), hint="one shape a file"
        )


# ---- mlx_lm ----------------------------------------------------------------------------------------------------------


def _mlx(files: Sequence[FileLook], tally: Tally, known: bool, batch_size: int) -> Iterator[Finding]:
    crash = tally.count("file.blank-line") + tally.count("file.byte-order-mark")
    if crash:
        text = f"mlx_lm crashes on blank lines and byte order marks: {crash:,}"
        yield Finding(rule="mlx.crash", level=_level(known), text=text, count=crash)
    for file in files:
        name = file.source.path.name
        if file.source.split and 0 < file.rows < batch_size:
            text = f"{file.source.name} has {_rows(file.rows)}, fewer than a batch ({batch_size}): mlx_lm stops there"
            yield Finding(rule="mlx.batch", level=_level(known), text=text, count=file.rows, limit=f"{batch_size} rows")
        if not name.endswith(".jsonl"):
            text = f"{file.source.name}: mlx_lm reads train.jsonl, valid.jsonl and test.jsonl, no array, no archive"
            yield Finding(rule="mlx.name", level=_level(known), text=text, count=1)
        if count := file.shapes["completions"]:
            text = (
                f"{file.source.name}: {_rows(count)} of prompt and completion have no system prompt in mlx_lm; rows "
                "that need one are chats"
            )
            yield Finding(rule="mlx.completions", level="flag" if known else "note", text=text, count=count)
        if file.several:
            text = (
                f"{file.source.name}: {_rows(file.several)} with several answers; with --mask-prompt mlx_lm learns the "
                "last one only"
            )
            yield Finding(rule="mlx.several", level="note", text=text, count=file.several)


# ---- OpenAI ----------------------------------------------------------------------------------------------------------


def _openai(files: Sequence[FileLook], tally: Tally, known: bool) -> Iterator[Finding]:
    for file in files:
        if 0 < file.rows < _OPENAI_LEAST and file.source.split in ("train", ""):
            text = f"{file.source.name} has {_rows(file.rows)}: OpenAI wants {_OPENAI_LEAST} or more"
            yield Finding(rule="openai.least", level=_level(known), text=text, count=file.rows)
    for rule, what in (("openai.key", "keys in a message"), ("openai.weight", "weights other than 0 and 1")):
        if count := tally.count(rule):
            text = f"{count:,} {what} that OpenAI does not take"
            yield Finding(rule=rule, level=_level(known), text=text, count=count, places=tally.at(rule))


def _wrong_shape(files: Sequence[FileLook], trainer: str) -> Iterator[Finding]:
    for file in files:
        wrong = {shape: n for shape, n in file.shapes.items() if trainer not in _READERS.get(shape, ())}
        if wrong:
            shapes = ", ".join(f"{shape} ({n:,})" for shape, n in wrong.items())
            text = f"{file.source.name}: {trainer} does not read such rows as they are: {shapes}"
            yield Finding(rule=f"{trainer}.shape", level="flag", text=text, count=sum(wrong.values()))
