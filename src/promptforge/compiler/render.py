"""The fourth stage: what was chosen, as text. Every piece of text keeps its source and the facts it rests on."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from promptforge.compiler.choose import Chosen, leak
from promptforge.compiler.rows import FORMS
from promptforge.compiler.scan import neutralise
from promptforge.document import Document
from promptforge.files import digest_of
from promptforge.model import LEVELS, Agent, Cut, Example, Fact, Project, Rendered, Section, Text, written
from promptforge.source import Diagnostic, Span

if TYPE_CHECKING:
    from promptforge.text import Renderer, TextError

__all__ = ["Draft", "Drafter", "Part", "Piece", "Reading"]


_BREAK = "\n"
_LABELS = {"message": ("", ""), "first text": ("Q: ", "A: "), "text": ("\nQ: ", "A: ")}
"""What stands before a question and an answer."""


class Piece(NamedTuple):
    """A run of text with its source. Measured once: a row stands in the prompts of many agents."""

    text: str
    kind: str
    file: str
    line: int
    step: int
    facts: tuple[str, ...]
    size: int
    """Bytes in UTF-8."""
    breaks: int
    """Line breaks."""
    lead: int
    """Line breaks before its first line, which only set it apart."""


def _piece(text: str, kind: str, file: str, line: int, step: int, facts: tuple[str, ...]) -> Piece:
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    lead = int(kind == "example" and text[:1] == "\n")  # the blank line between two examples is in no file
    return Piece(text, kind, file, line, step, facts, size, text.count("\n"), lead)


class Part(NamedTuple):
    """A section as text: what goes only together is one item."""

    heading: Piece | None = None
    """Goes when the last item goes."""
    items: tuple[tuple[Piece, ...], ...] = ()
    names: tuple[str, ...] = ()
    """For each item what a report calls it: a fact's id, example:ID, template:FILE."""
    as_messages: bool = False
    """Items are pairs of a user's and an assistant's message."""
    cuts: tuple[Cut, ...] = ()


class Draft(NamedTuple):
    """An agent's prompt before the budget: one part a section."""

    parts: tuple[Part, ...]
    broken: bool = False
    """Whether something of it could not be rendered, so that it stands without it."""


class Reading(NamedTuple):
    """What some texts with references rested on when they were rendered."""

    reads: tuple[str, ...]
    """Ids of facts, found or not, and `table:NAME`; all agents taken together."""
    digest: str
    """Of what came of them; empty where they look at the agent."""


class Drafter:
    """Drafts the prompts of one project; rows and examples that several agents share are rendered once."""

    def __init__(self, project: Project, documents: Mapping[str, Document]) -> None:
        self._project = project
        self._documents = documents
        self._headings: dict[tuple[object, ...], Piece] = {}
        self._rows: dict[tuple[str, tuple[str, ...], str], dict[str, tuple[Piece]]] = {}
        self._texts: dict[int, Rendered | TextError] = {}
        self._reads: dict[int, dict[str, None]] = {}
        self._renderer: Renderer | None = None

    def draft(self, agent: Agent, chosen: Sequence[Chosen], clearance: str) -> tuple[Draft, list[Diagnostic]]:
        """The agent's sections as text, and what of them cannot be rendered or must not be shown to its model."""
        found: list[Diagnostic] = []
        parts: list[Part] = []
        broken = False
        for number, one in enumerate(chosen):
            match one.section.kind:
                case "persona":
                    parts.append(_persona(agent))
                case "table":
                    parts.append(self._table(one))
                    if not one.facts:
                        self._warn_if_empty(one, agent, found)
                case "template":
                    part, failed = self._template(agent, one, clearance, found)
                    broken |= failed
                    parts.append(part)
                case "fewshot":
                    part, failed = self._fewshot(agent, number, one, clearance, found)
                    broken |= failed
                    parts.append(part)
        return Draft(parts=tuple(parts), broken=broken), found

    def _warn_if_empty(self, chosen: Chosen, agent: Agent, found: list[Diagnostic]) -> None:
        section = chosen.section
        table = self._project.tables[section.name]
        if table.partial or not (section.path or table.facts):
            return  # a table with no facts is no surprise among the default sections
        if section.required and not chosen.cuts and chosen.filtered < len(table.facts):
            return  # its facts are above the clearance, and that was an error
        why, hint = f"the table {table.name} has no facts", "add some, or drop the section"
        if chosen.cuts:
            why, hint = "its model may see none of the facts", "give the agent a local model, or drop the section"
        elif section.where:
            why, hint = "no fact matches its `where`", "mend the where, or drop the section"
        message = f"the section '{section.label}' of agent '{agent.name}' is empty: {why}"
        place = section.span if section.path else Span(file=agent.file)
        found.append(Diagnostic(code="PF410", span=place, message=message, hint=hint))

    # --- tables

    def _table(self, chosen: Chosen) -> Part:
        section = chosen.section
        if not chosen.facts:
            return Part(cuts=chosen.cuts)
        table = self._project.tables[section.name]
        columns, form = chosen.columns, section.form or "markdown"
        known = self._rows.get((table.name, columns, form))
        if known is None:
            known = self._rows[table.name, columns, form] = {}
        items: list[tuple[Piece, ...]] = []
        for fact in chosen.facts:
            row = known.get(fact.key)
            if row is None:
                text = FORMS[form][1](fact, columns)
                row = known[fact.key] = (_piece(text, "row", fact.file, fact.line, 0, (fact.id,)),)
            items.append(row)
        names = tuple([row[0].facts[0] for row in items])
        if chosen.through:
            pairs = zip(items, chosen.through, strict=True)
            items = [(row[0]._replace(facts=(*row[0].facts, *through)),) for row, through in pairs]
        # The default columns are those of all chosen facts, so the heading rests on every one of them.
        rests_on = () if section.columns else names
        heading = self._heading(section, section.title or table.name, FORMS[form][0], columns, rests_on)
        return Part(heading=heading, items=tuple(items), names=names, cuts=chosen.cuts)

    def _heading(
        self,
        section: Section,
        title: str,
        head: Callable[[Sequence[str]], str],
        columns: Sequence[str],
        facts: tuple[str, ...],
    ) -> Piece:
        known = self._headings.get((title, head, columns))
        if known is None:
            text = f"## {neutralise(' '.join(title.split()))}\n{head(columns)}"
            known = self._headings[title, head, columns] = _piece(text, "heading", "", 0, 0, ())
        return Piece(known.text, "heading", section.file, section.line, 0, facts, known.size, known.breaks, 0)

    # --- texts

    def _template(self, agent: Agent, chosen: Chosen, clearance: str, found: list[Diagnostic]) -> tuple[Part, bool]:
        text = self._project.templates[chosen.section.name]
        rendered = self._render(text, agent, found)
        if rendered is None:
            return Part(), True
        through = f"the template {text.file}"
        span = chosen.section.span
        if _leaks([rendered], agent, clearance, through, span, found):
            return Part(), True
        body = rendered.text.rstrip("\n")
        if not body.strip():
            message = f"the template {text.file} prints nothing for agent '{agent.name}'"
            place = chosen.section.span
            found.append(Diagnostic(code="PF410", span=place, message=message, hint="drop the section, or mend it"))
            return Part(), False
        facts = tuple(dict.fromkeys((*(f.id for f in rendered.seen), *rendered.reads)))
        pieces = tuple(
            _piece(run, "template", text.file, line, step, facts) for run, line, step in _runs(body, rendered, text)
        )
        return Part(items=(pieces,), names=(f"template:{chosen.section.name}",)), False

    def _fewshot(
        self, agent: Agent, number: int, chosen: Chosen, clearance: str, found: list[Diagnostic]
    ) -> tuple[Part, bool]:
        section = chosen.section
        if section.tags and not chosen.examples:
            message = f"agent '{agent.name}' has no example with the tags {', '.join(map(written, section.tags))}"
            place = section.span
            hint = "mend the tags, or write an example with one of them"
            found.append(Diagnostic(code="PF410", span=place, message=message, hint=hint))
        items: list[tuple[Piece, ...]] = []
        names, cuts, broken = [], [], False
        for example in chosen.examples:
            if len(items) >= section.count:
                break
            pair = self._pair(example, agent, found)
            if pair is None:
                broken = True
                continue
            secret = _first_above(pair, clearance)
            if secret and (section.required or agent.name in example.agents):
                _leaks(pair, agent, clearance, f"the example '{example.id}'", example.span, found)
                broken = True
                continue
            if secret:
                why = f"it shows {secret.id}, which is {secret.level}, and the clearance is {clearance}"
                cuts.append(Cut(number, f"example:{example.id}", "clearance", why))
                continue
            form = "message" if section.form == "messages" else "text" if items else "first text"
            items.append(self._pieces(example, pair, form))
            names.append(f"example:{example.id}")
        heading = None
        if items and section.form != "messages":
            heading = self._heading(section, section.title or "Examples", _no_columns, (), ())
        part = Part(
            heading=heading,
            items=tuple(items),
            names=tuple(names),
            as_messages=section.form == "messages",
            cuts=tuple(cuts),
        )
        return part, broken

    def _pair(self, example: Example, agent: Agent, found: list[Diagnostic]) -> "tuple[Rendered, Rendered] | None":
        user = self._render(example.user, agent, found)
        assistant = self._render(example.assistant, agent, found)
        return (user, assistant) if user and assistant else None

    def _pieces(self, example: Example, pair: "tuple[Rendered, Rendered]", form: str) -> tuple[Piece, ...]:
        pieces = []
        own: tuple[str, ...] = (f"example:{example.id}",)
        ending = "" if form == "message" else "\n"
        for rendered, text, label in zip(pair, (example.user, example.assistant), _LABELS[form], strict=True):
            body = rendered.text
            first, step = self._start(text)
            if body is not text.source and body.count("\n") != text.source.count("\n"):
                step = 0
            if body[:1] == "\n":
                first += step * (len(body) - len(body.lstrip("\n")))
            facts = own
            if rendered.seen or rendered.reads:
                facts = (*own, *dict.fromkeys((*[f.id for f in rendered.seen], *rendered.reads)))
            pieces.append(_piece(f"{label}{body.strip(_BREAK)}{ending}", "example", text.file, first, step, facts))
        return tuple(pieces)

    def _start(self, text: Text) -> tuple[int, int]:
        document = self._documents.get(text.file)
        return document.text_start(text.path) if document else (text.line, 0)

    def _place(self, text: Text, line: int) -> Span:
        """A line of a text, from its first sign to its last: where in it the expression stands, Jinja does not say."""
        if text.path:
            first, step = self._start(text)
            line = first + step * (line - 1)
            source = self._documents[text.file].text if text.file in self._documents else ""
        else:
            source = text.source
        lines = source.split("\n")
        found = lines[line - 1] if 0 < line <= len(lines) else ""
        column = len(found) - len(found.lstrip()) + 1 if found.strip() else 0
        return Span(file=text.file, line=line, column=column, length=max(1, min(len(found.strip()), 80)))

    def _render(self, text: Text, agent: Agent, found: list[Diagnostic]) -> "Rendered | None":
        """The text for this agent; a text that does not look at the agent is rendered once for all."""
        known = self._texts.get(id(text))
        if known is None:
            known = self._render_anew(text, agent)
            if not getattr(known, "of_agent", False):
                self._texts[id(text)] = known
        if isinstance(known, Exception):
            if known.code:
                found.append(self._problem(text, known))
            return None
        return known

    def _render_anew(self, text: Text, agent: Agent) -> "Rendered | TextError":
        # Jinja is loaded only by the first text that needs it.
        if text.literal:
            return Rendered(text=text.source)
        from promptforge.text import Renderer, TextError

        if self._renderer is None:
            self._renderer = Renderer(self._project, clean=neutralise)
        try:
            rendered = self._renderer.render(text, agent=(agent.name, agent.role))
        except TextError as problem:
            return problem
        self._reads.setdefault(id(text), {}).update(dict.fromkeys(rendered.reads))
        return rendered

    def rest(self) -> list[Diagnostic]:
        """What is wrong with the examples that no prompt has asked for so far."""
        found: list[Diagnostic] = []
        agents = self._project.agents
        for example in self._project.examples:
            for text in (example.user, example.assistant):
                if not text.literal and id(text) not in self._texts and id(text) not in self._reads:
                    named = next((agents[name] for name in example.agents or agents if name in agents), None)
                    if named is not None:
                        self._render(text, named, found)
        return found

    @property
    def failing(self) -> bool:
        """Whether any text could not be rendered."""
        return any(isinstance(known, Exception) for known in self._texts.values())

    def seen(self) -> list[tuple[int, bool, list[str]]]:
        """The texts with references, by number: whether each is the same for all agents, and what it read so far."""
        found = ((number, id(text)) for number, text in enumerate(self._all_texts()))
        return [(number, key in self._texts, list(self._reads[key])) for number, key in found if key in self._reads]

    def learn(self, seen: Sequence[tuple[int, bool, Sequence[str]]]) -> None:
        """Take over what another drafter of the same project has seen."""
        texts = self._all_texts() if seen else []
        for number, for_all, reads in seen:
            text = texts[number]
            if for_all and id(text) not in self._texts:
                self._render(text, next(iter(self._project.agents.values())), [])
            self._reads.setdefault(id(text), {}).update(dict.fromkeys(reads))

    def _all_texts(self) -> list[Text]:
        examples = [text for example in self._project.examples for text in (example.user, example.assistant)]
        return [*examples, *self._project.templates.values()]

    def failed(self, example: Example) -> bool:
        """Whether the example could not be rendered."""
        return any(isinstance(self._texts.get(id(text)), Exception) for text in (example.user, example.assistant))

    def reading(self, *texts: Text) -> Reading | None:
        """What the texts rested on so far; nothing where none of them has references, or none was rendered."""
        if not (with_references := [text for text in texts if id(text) in self._reads]):
            return None
        reads = tuple(sorted({read for text in with_references for read in self._reads[id(text)]}))
        once = [made for text in with_references if isinstance(made := self._texts.get(id(text)), Rendered)]
        if len(once) < len(with_references):
            return Reading(reads, "")
        came = [(one.text, [(fact.id, fact.level) for fact in one.seen], one.reads, one.lines) for one in once]
        return Reading(reads, digest_of(json.dumps(came)))

    def _problem(self, text: Text, problem: "TextError") -> Diagnostic:
        template = self._project.templates.get(problem.template)
        place = self._place(template or text, problem.line)
        return Diagnostic(code=problem.code, span=place, message=problem.message, hint=problem.hint)


def _no_columns(columns: Sequence[str]) -> str:
    return ""


def _persona(agent: Agent) -> Part:
    line, step = agent.persona_start
    return Part(items=((_piece(agent.persona, "persona", agent.file, line, step, ()),),), names=("persona",))


def _runs(body: str, rendered: "Rendered", text: Text) -> Iterator[tuple[str, int, int]]:
    """A template's text in runs of lines whose sources follow each other: text, first line of the source, step."""
    lines = body.split("\n")
    sources = rendered.lines or (tuple(range(1, len(lines) + 1)) if text.literal else (1,) * len(lines))
    start = 0
    for at in range(1, len(lines) + 1):
        if at < len(lines):
            step = sources[at] - sources[at - 1]
            if step in (0, 1) and (at - start == 1 or step == sources[at - 1] - sources[at - 2]):
                continue
        step = min(1, max(0, sources[start + 1] - sources[start])) if at - start > 1 else 0
        yield "".join(f"{line}\n" for line in lines[start:at]), sources[start], step
        start = at


def _first_above(texts: Sequence[Rendered], clearance: str) -> Fact | None:
    allowed = LEVELS[clearance]
    return next((fact for one in texts for fact in one.seen if LEVELS[fact.level] > allowed), None)


def _leaks(
    texts: Sequence[Rendered], agent: Agent, clearance: str, through: str, span: Span, found: list[Diagnostic]
) -> bool:
    """Whether a text shows facts above the clearance; each of them is said once."""
    allowed = LEVELS[clearance]
    secret = {fact.id: fact for one in texts for fact in one.seen if LEVELS[fact.level] > allowed}
    found.extend(leak(fact, agent, clearance, through, span) for fact in secret.values())
    return bool(secret)
