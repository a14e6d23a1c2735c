"""Rows to a folder that a trainer reads: rows, configuration, card, manifest, recipe, and which row rests on what.

Rows are streamed; of a million only ids and the facts that they rest on stay in memory. The folder takes the place of
the one before in whole (see `swap`). The same rows and recipe give the same bytes.
"""

import hashlib
import os
import sys
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from promptforge import __version__
from promptforge.dataset.card import card
from promptforge.dataset.configs import Plan, Settings, settings_of
from promptforge.dataset.encoding import Encoder, check_row, encoded, rests, word
from promptforge.dataset.formats import LAYOUTS
from promptforge.dataset.longest import Longest, limit_for
from promptforge.dataset.manifest import (
    CARD,
    FACTS,
    KNOWLEDGE,
    MANIFEST,
    RECIPE,
    ROWS,
    File,
    Length,
    Manifest,
    manifest_text,
)
from promptforge.dataset.rows import KINDS, SPLITS, Kind, Recipe, Row, Split
from promptforge.dataset.swap import replacing
from promptforge.errors import InputError, WriteError
from promptforge.files import digest_of
from promptforge.tokens import Tokenizer

__all__ = ["Origin", "Written", "write"]

_BLOCK_BYTES = 1 << 20
_NO_LIMIT = sys.maxsize


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a dataset comes from, and where what is trained on it goes."""

    recipe: bytes
    """The recipe's file, as it is."""
    model: str
    """What the trainer loads: a folder, or a name on a hub."""
    knowledge: str = ""
    """Digest of the facts."""
    facts: Mapping[str, str] | None = None
    """Fact to the digest of what it says."""
    prompts: Mapping[str, str] | None = None
    """Agent to the digest of its prompt."""
    private: bool = False
    """Whether rows may hold private facts: then only the owner may read the folder."""
    context_tokens: int | None = None
    """What the model takes at most."""
    folder: str = ""
    """The folder as configurations name it, relative to the project; empty: as it is."""
    adapter: str = ""
    """Where the adapter goes; empty: build/adapters/ and the recipe's name."""
    notes: Sequence[str] = ()
    """What the card is to say, too: what was missing, what was given more weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A dataset on disk."""

    folder: Path
    manifest: Manifest
    start: str
    """The command that trains on it."""


def write(
    rows: Iterable[tuple[Split, Row]], recipe: Recipe, folder: Path, *, lengths: Tokenizer, origin: Origin
) -> Written:
    """Write a dataset into `folder`, in place of the one that is there.

    Hold the project alone meanwhile. Rows are written in the order that they come in. Raises InputError for what no
    trainer could use (a row without an answer, one that is longer than the limit, too few of them), and WriteError;
    the folder is then as it was.
    """
    settings = settings_of(recipe)
    if folder.exists() and not (folder / MANIFEST).exists() and any(folder.iterdir()):
        hint = "name another folder, or move this one away"
        raise WriteError(f"{folder} holds no dataset, so it is not replaced", hint=hint)
    with replacing(folder, private=origin.private) as made:
        streams = _Streams(made, recipe, settings, lengths, origin)
        with streams:
            for split, row in rows:
                streams.add(split, row)
        plan = _plan(recipe, settings, folder, origin, streams)
        manifest = _manifest(plan, lengths, origin, streams)
        start = LAYOUTS[recipe.format].start
        texts: dict[str, str | bytes] = {**LAYOUTS[recipe.format].configs(plan), RECIPE: origin.recipe}
        if origin.facts is not None:
            texts[KNOWLEDGE] = _knowledge(streams.facts, origin.facts)
        texts[CARD] = card(manifest, plan, start, origin.notes)
        files = {**streams.files(), **{name: streams.write(name, text) for name, text in texts.items()}}
        manifest = replace(manifest, files=files)
        streams.write(MANIFEST, manifest_text(manifest))
    return Written(folder=folder, manifest=manifest, start=start.format(config=plan.folder))


def _knowledge(rested: Iterable[str], digests: Mapping[str, str]) -> bytes:
    """knowledge.json: what the facts said that rows rest on, one fact a line."""
    lines = (b"%b:%b" % (encoded(fact), encoded(digests[fact])) for fact in sorted(rested) if fact in digests)
    return b"{\n%b\n}\n" % b",\n".join(lines)


def _plan(recipe: Recipe, settings: Settings, folder: Path, origin: Origin, streams: "_Streams") -> Plan:
    """Raises InputError where nothing is there to learn."""
    longest = streams.longest
    if not streams.lines["train"]:
        raise InputError(f"{recipe.file}: there are no rows to train on", hint="raise `rows` in the recipe")
    return Plan(
        recipe=recipe,
        settings=settings,
        model=origin.model,
        folder=origin.folder or folder.as_posix(),
        adapter=origin.adapter or f"build/adapters/{recipe.name}",
        lines=dict(streams.lines),
        limit_tokens=settings.max_seq_length or min(limit_for(longest.tokens), origin.context_tokens or _NO_LIMIT),
    )


def _manifest(plan: Plan, lengths: Tokenizer, origin: Origin, streams: "_Streams") -> Manifest:
    longest = streams.longest
    return Manifest(
        name=plan.recipe.name,
        format=plan.recipe.format,
        promptforge=__version__,
        model=plan.model,
        recipe=plan.recipe.file,
        recipe_digest=digest_of(origin.recipe),
        knowledge=origin.knowledge,
        prompts=dict(origin.prompts or {}),
        rows=dict(streams.rows),
        lines=dict(streams.lines),
        categories=streams.categories(),
        facts=len(streams.facts),
        longest=Length(longest.tokens, longest.row, plan.limit_tokens, lengths.name, lengths.exact),
        private=origin.private,
        trained=plan.recipe.model,
        system=plan.recipe.system,
        agents=dict(streams.agents),
    )


class _File:
    """A file that is hashed while it is written."""

    def __init__(self, path: Path, mode: int) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        self._file: BinaryIO = os.fdopen(handle, "wb", buffering=0)
        self._hash = hashlib.sha256()
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._bytes = 0

    def add(self, content: bytes) -> None:
        """Write it, later."""
        self._kept.append(content)
        self._kept_bytes += len(content)
        if self._kept_bytes >= _BLOCK_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is left, and see that it stays."""
        self._flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close it, whatever is in it."""
        self._file.close()

    def told(self) -> File:
        """Its hash and size."""
        return File(self._hash.hexdigest(), self._bytes)

    def _flush(self) -> None:
        block = memoryview(b"".join(self._kept))
        self._hash.update(block)
        self._bytes += len(block)
        self._kept, self._kept_bytes = [], 0
        while block:
            block = block[self._file.write(block) :]


class _Streams:
    """The files of rows, and what was counted on the way."""

    def __init__(self, folder: Path, recipe: Recipe, settings: Settings, lengths: Tokenizer, origin: Origin) -> None:
        self._folder, self._mode = folder, 0o600 if origin.private else 0o666
        self._recipe, self._settings, self._layout = recipe, settings, LAYOUTS[recipe.format]
        self._limit = min(settings.max_seq_length or _NO_LIMIT, origin.context_tokens or _NO_LIMIT)
        self._encoder = Encoder()
        self._files: dict[str, _File] = {}
        self._ids: dict[str, int] = {}
        self._counts: dict[tuple[Split, Kind, str, str], int] = defaultdict(int)
        self.longest = Longest(lengths)
        self.facts: dict[str, array[int]] = {}
        self.rows: dict[Split, int] = dict.fromkeys(SPLITS, 0)
        self.lines: dict[Split, int] = dict.fromkeys(SPLITS, 0)

    def __enter__(self) -> "_Streams":
        self._files[ROWS] = _File(self._folder / ROWS, self._mode)
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        if kind is not None:
            for file in self._files.values():
                file.abandon()
            return
        self._index()
        for file in self._files.values():
            file.close()

    def add(self, split: Split, row: Row) -> None:
        """One more row."""
        check_row(row)
        number = len(self._ids)
        if self._ids.setdefault(row.id, number) != number:
            raise InputError(f"two rows have the id {row.id}", hint="a row is written once, on one side of the split")
        if self.longest.see(row) > self._limit and (tokens := self.longest.exactly(row)) > self._limit:
            raise self._too_long(row, tokens)
        file = self._files.get(split) or self._open(split)
        first = self.lines[split] + 1
        try:
            for line in self._layout.lines(row, self._encoder, self._settings):
                file.add(line + b"\n")
                self.lines[split] += 1
            self._files[ROWS].add(_origin(split, row, first, self.lines[split] - first + 1))
        except UnicodeEncodeError as problem:
            raise InputError(f"the row {row.id} holds half a surrogate pair, which is no character") from problem
        self.rows[split] += 1
        self._counts[split, row.kind, row.category, row.agent] += 1
        for fact in row.facts:
            known = self.facts.get(fact)
            if known is None:
                known = self.facts[fact] = array("I")
            known.append(number)

    def categories(self) -> Mapping[Split, Mapping[Kind, Mapping[str, int]]]:
        """Rows by split, kind and category."""
        table: dict[Split, dict[Kind, dict[str, int]]] = {split: {} for split in SPLITS}
        order = {kind: at for at, kind in enumerate(KINDS)}
        for (split, kind, category, _), rows in sorted(self._counts.items(), key=lambda n: (order[n[0][1]], n[0][2])):
            known = table[split].setdefault(kind, {})
            known[category] = known.get(category, 0) + rows
        return table

    @property
    def agents(self) -> Mapping[str, int]:
        """Rows by agent; those of the user's own files are nobody's."""
        found: dict[str, int] = defaultdict(int)
        for (_, _, _, agent), rows in self._counts.items():
            if agent:
                found[agent] += rows
        return found

    def files(self) -> Mapping[str, File]:
        """What was written so far."""
        return {name if "." in name else f"{name}.jsonl": file.told() for name, file in self._files.items()}

    def write(self, name: str, text: str | bytes) -> File:
        """One whole file."""
        file = _File(self._folder / name, self._mode)
        file.add(text.encode() if isinstance(text, str) else text)
        file.close()
        return file.told()

    def _too_long(self, row: Row, tokens: int) -> InputError:
        own = self._limit == self._settings.max_seq_length
        said = "max_seq_length is" if own else f"the context of {self._recipe.model} is"
        message = f"the row {row.id} has {tokens:,} tokens and {said} {self._limit:,}: its answer would be cut"
        return InputError(f"{self._recipe.file}: {message}", hint="shorten the prompt, or train with `system: base`")

    def _open(self, split: Split) -> _File:
        file = self._files[split] = _File(self._folder / f"{split}.jsonl", self._mode)
        return file

    def _index(self) -> None:
        """facts.json: one fact a line, so that nobody needs to read all of it."""
        ids = list(self._ids)
        file = self._files[FACTS] = _File(self._folder / FACTS, self._mode)
        file.add(b"{")
        for at, fact in enumerate(sorted(self.facts)):
            named = b",".join(encoded(ids[number]) for number in dict.fromkeys(self.facts[fact]))
            file.add(b"%b\n%b:[%b]" % (b"," * bool(at), encoded(fact), named))
        file.add(b"\n}\n")


def _origin(split: Split, row: Row, line: int, lines: int) -> bytes:
    """A line of rows.jsonl: where a row stands, what it is, what it rests on and where it comes from."""
    words = (row.kind, row.category, row.agent, row.file, row.phrasing)
    kind, category, agent, file, phrasing = map(word, words)
    start = b'{"id":%b,"split":"%b","line":%d,"lines":%d' % (encoded(row.id), split.encode(), line, lines)
    what = b',"kind":%b,"category":%b,"agent":%b%b' % (kind, category, agent, rests(row))
    return start + what + b',"file":%b,"at":%d,"phrasing":%b}\n' % (file, row.line, phrasing)
