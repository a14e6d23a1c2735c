"""`explain`: where each line of a prompt comes from, what it costs, what was left out and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from promptforge.artifact import Entry
from promptforge.compiler.build import Build
from promptforge.compiler.scan import neutralise
from promptforge.errors import UsageError
from promptforge.model import Cut, Prompt, Segment
from promptforge.source import did_you_mean
from promptforge.tokens import Tokenizer, load_tokenizer

__all__ = ["ExplainedLine", "ExplainedSection", "Explanation", "LeftOut", "explain", "sections_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedLine:
    """A line of the prompt with its source."""

    number: int
    """From 1, in its message."""
    message: int
    """0 is the system prompt."""
    text: str
    kind: str
    """persona, heading, row, example, template; or gap, for a blank line that only sets sections apart."""
    section: int
    file: str
    line: int
    source: str
    """The text of that line of the file."""
    facts: tuple[str, ...]
    """That it shows; of a line of a template those whose values print on it, where that can be told."""
    reads: tuple[str, ...]
    """Of a line of a template that shows no fact for certain: what the template as a whole rests on."""
    tokens: int
    """Of the line alone; lines do not add up exactly, since tokens may span their ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedSection:
    """A section with what it costs."""

    number: int
    label: str
    kind: str
    file: str
    line: int
    priority: int
    required: bool
    items: int
    """Rows, examples or texts that are in."""
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that is not in the prompt."""

    section: int
    label: str
    what: str
    why: str
    """filtered, budget or clearance."""
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A prompt, explained."""

    entry: Entry
    lines: tuple[ExplainedLine, ...]
    sections: tuple[ExplainedSection, ...]
    left_out: tuple[LeftOut, ...]
    fact_tokens: Mapping[str, int]
    """What the rows of each fact cost."""


def explain(build: Build, name: str) -> Explanation:
    """Explain an agent's prompt as the files are now. Raises UsageError when there is no such agent."""
    entry = build.artifact.entries.get(name)
    if entry is None:
        known = build.artifact.entries
        unread = [d for d in build.errors if d.span.file.startswith("agents/") and name in d.span.file]
        if unread:
            raise UsageError(
                f"the file of agent '{name}' cannot be used: {unread[0].span}: {unread[0].message}",
                hint="promptforge check",
            )
        hint = did_you_mean(name, known) or "the project has no agent that compiles"
        raise UsageError(f"no agent '{name}'", hint=hint)
    tokenizer = _tokenizer(build, entry)
    lines = tuple(_lines(build, entry, tokenizer))
    fact_tokens: dict[str, int] = {}
    for line in lines:
        if line.kind == "row":
            fact_tokens[line.facts[0]] = fact_tokens.get(line.facts[0], 0) + line.tokens
    return Explanation(
        entry=entry,
        lines=lines,
        sections=tuple(sections_of(entry, tokenizer)),
        left_out=tuple(_left_out(build, entry)),
        fact_tokens=fact_tokens,
    )


def _tokenizer(build: Build, entry: Entry) -> Tokenizer:
    agent = build.project.agents[entry.name]
    spec = agent.model.tokenizer if agent.model and entry.tokenizer != "estimate" else "estimate"
    return load_tokenizer(spec, root=build.tree.root)


def _texts(prompt: Prompt) -> list[str]:
    return [prompt.system, *(content for _, content in prompt.messages)]


def _lines(build: Build, entry: Entry, tokenizer: Tokenizer) -> Iterator[ExplainedLine]:
    prompt = entry.enriched
    shown = _Shown(build, entry)
    for message, text in enumerate(_texts(prompt)):
        segments = [s for s in prompt.segments if s.message == message]
        lines = text.split("\n")
        if lines and lines[-1] == "":
            lines.pop()
        at = 0
        for number, line in enumerate(lines, start=1):
            while at + 1 < len(segments) and number > segments[at].last_line:
                at += 1
            yield _line(build, segments[at], number, line, tokenizer, shown)


def _line(
    build: Build, segment: Segment, number: int, text: str, tokenizer: Tokenizer, shown: "_Shown"
) -> ExplainedLine:
    gap = number < segment.first_line
    facts = () if gap else shown.on_line(segment, number, text)
    source_line = segment.line + segment.step * (number - segment.first_line)
    return ExplainedLine(
        number=number,
        message=segment.message,
        text=text,
        kind="gap" if gap else segment.kind,
        section=segment.section,
        file=segment.file,
        line=segment.line if gap else source_line,
        source="" if gap else (build.source_line(segment.file, source_line) or "").strip(),
        facts=facts,
        reads=() if gap or facts or segment.kind != "template" else tuple(segment.facts),
        tokens=tokenizer.count(text + "\n"),
    )


class _Shown:
    """The facts that each line of a prompt shows. A template's segments rest on all that it reads; its lines do not."""

    def __init__(self, build: Build, entry: Entry) -> None:
        self._build, self._agent = build, (entry.name, entry.role)
        self._starts: dict[int, int] = {}
        for segment in entry.enriched.segments:
            self._starts.setdefault(segment.section, segment.first_line)
        self._templates: dict[str, Sequence[tuple[str, ...]]] = {}

    def on_line(self, segment: Segment, number: int, text: str) -> tuple[str, ...]:
        """Of a line of a segment, in its message."""
        if segment.kind != "template":
            return tuple(segment.facts)
        lines = self._of_template(segment.file)
        at = number - self._starts[segment.section]
        return lines[at] if text.strip() and 0 <= at < len(lines) else ()

    def _of_template(self, file: str) -> Sequence[tuple[str, ...]]:
        if file not in self._templates:
            from promptforge.text import Renderer  # Jinja only for the prompts with a template

            template = next(one for one in self._build.project.templates.values() if one.file == file)
            renderer = Renderer(self._build.project, clean=neutralise)
            self._templates[file] = () if template.literal else renderer.facts_by_line(template, agent=self._agent)
        return self._templates[file]


def sections_of(entry: Entry, tokenizer: Tokenizer) -> Iterator[ExplainedSection]:
    """The sections of an agent's enriched prompt with what they cost."""
    prompt = entry.enriched
    texts = [text.encode("utf-8", "surrogatepass") for text in _texts(prompt)]
    for number, section in enumerate(entry.sections):
        own = [s for s in prompt.segments if s.section == number]
        text = b"".join(texts[s.message][s.start : s.end] for s in own).decode("utf-8", "surrogatepass")
        items = sum(1 for s in own if s.kind != "heading")
        yield ExplainedSection(
            number=number,
            label=section.label,
            kind=section.kind,
            file=section.file,
            line=section.line,
            priority=section.priority,
            required=section.required,
            items=items // 2 if section.kind == "fewshot" else items,
            tokens=tokenizer.count(text) if text else 0,
        )


def _left_out(build: Build, entry: Entry) -> Iterator[LeftOut]:
    for number, section in enumerate(entry.sections):
        cuts = [cut for cut in entry.enriched.cuts if cut.section == number]
        for cut in cuts:
            yield LeftOut(section=number, label=section.label, what=cut.what, why=cut.why, note=cut.note)
        if section.kind == "table" and entry.enriched.filtered.get(number):
            yield from _filtered(build, entry, number, section.label, cuts)


def _filtered(build: Build, entry: Entry, number: int, label: str, cuts: list[Cut]) -> Iterator[LeftOut]:
    """The facts that the section's `where` did not match: those of the table that were neither printed nor cut."""
    section = entry.sections[number]
    printed = {s.facts[0] for s in entry.enriched.segments if s.section == number and s.kind == "row"}
    printed.update(cut.what for cut in cuts)
    for fact in build.project.tables[section.name].facts:
        if fact.id not in printed:
            yield LeftOut(section=number, label=label, what=fact.id, why="filtered", note="does not match `where`")
