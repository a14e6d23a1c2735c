"""The recipes of a project, with the attacks and the wording that they use: read, and judged as `check` does."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from promptforge.compiler.build import Build
from promptforge.compiler.scan import neutralise, scan
from promptforge.dataset.configs import check_trainer
from promptforge.dataset.examples import Attack, read_jailbreak
from promptforge.dataset.phrasings import Phrasings, read_phrasings
from promptforge.dataset.recipe import read_recipes
from promptforge.dataset.rows import Recipe
from promptforge.document import Document
from promptforge.errors import UsageError
from promptforge.model import Fact, Project, Text
from promptforge.source import Diagnostic, Span, did_you_mean
from promptforge.text import Renderer, TextError
from promptforge.workbench.replays import broken_replays, replay_files, unknown_runs
from promptforge.workbench.suites import agent_names, settled
from promptforge.yamlio import parse

__all__ = ["Recipes", "find_recipe", "load_recipes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipes:
    """The recipes of a project, and what is wrong with them."""

    recipes: Mapping[str, Recipe] = field(default_factory=dict)
    """By name, in the order of the files; those with an error are not among them."""
    attacks: Mapping[str, tuple[Attack, ...]] = field(default_factory=dict)
    """By file."""
    phrasings: Phrasings = field(default_factory=lambda: Phrasings({}))
    diagnostics: tuple[Diagnostic, ...] = ()
    """By place; those that an allowance silences are not among them."""
    present: bool = False
    """Whether there is anything in training/ at all."""


def load_recipes(build: Build, *, thorough: bool = False) -> Recipes:
    """The files of training/ that a build was made of.

    `thorough` also looks for unused allowances, into replay files, and whether runs that are named are known.
    """
    documents, found = _documents(build)
    if not documents and not found:
        return Recipes()
    project, names = build.project, agent_names(build)
    kinds = {file: _kind(document) for file, document in documents.items()}
    found += [_of_no_kind(document) for file, document in documents.items() if not kinds[file]]
    of_kind = {
        kind: {file: documents[file] for file, own in kinds.items() if own == kind}
        for kind in ("recipe", "jailbreak", "phrasings")
    }
    attacks, problems = read_jailbreak(of_kind["jailbreak"].values(), names)
    found += problems
    phrasings, problems_of_wording = read_phrasings([*of_kind["phrasings"].values()], project.tables)
    found += problems_of_wording
    recipes, problems = read_recipes(
        of_kind["recipe"], project.config, project.agents, names=names, files=[*of_kind["jailbreak"]]
    )
    found += problems
    found += [problem for recipe in recipes for problem in _trainer(recipe, documents[recipe.file])]
    found += _missing_replays(build, of_kind["recipe"])
    if thorough:
        found += broken_replays(build, recipes)
        found += unknown_runs(build.tree.root, recipes, documents)
    found += _secrets(documents.values())
    if not any(problem.severity == "error" for problem in found):
        found += _texts(project, documents, attacks, phrasings)
    return Recipes(
        recipes={recipe.name: recipe for recipe in recipes},
        attacks=attacks,
        phrasings=phrasings,
        diagnostics=settled(build, documents, found, thorough),
        present=True,
    )


def _trainer(recipe: Recipe, document: Document) -> Iterator[Diagnostic]:
    """What the trainer would not know, or take for something else."""
    for wrong in check_trainer(recipe):
        place = document.span(("trainer", wrong.key), key=wrong.key != "kind")
        yield Diagnostic(code="PF809", span=place, message=wrong.message, hint=wrong.hint)


def find_recipe(recipes: Recipes, name: str) -> Recipe:
    """A recipe by its name or file. Raises UsageError where there is none that can be used."""
    for recipe in recipes.recipes.values():
        if name in (recipe.name, recipe.file):
            return recipe
    known = [*recipes.recipes]
    hint = did_you_mean(name, known) if known else "write one in training/, and see: promptforge check"
    raise UsageError(f"no recipe '{name}' that can be used", hint=hint)


def _documents(build: Build) -> tuple[dict[str, Document], list[Diagnostic]]:
    documents: dict[str, Document] = {}
    found: list[Diagnostic] = []
    for path in build.tree.under("training"):
        document, problems = parse(path, build.tree.files[path])
        found += problems
        if document is not None:
            documents[path] = document
    return documents, found


_KEYS = {"recipe": "recipe", "refusals": "jailbreak", "benign": "jailbreak", "phrasings": "phrasings"}


def _kind(document: Document) -> str:
    """What a file of training/ is, by the keys at its top."""
    data = document.data if isinstance(document.data, dict) else {}
    return next((kind for key, kind in _KEYS.items() if key in data), "")


def _of_no_kind(document: Document) -> Diagnostic:
    message = "the file is neither a recipe, nor attacks, nor phrasings"
    hint = "a recipe has the key `recipe:`, attacks `refusals:` and `benign:`, wording `phrasings:`"
    return Diagnostic(code="PF808", span=document.span(), message=message, hint=hint)


def _missing_replays(build: Build, documents: Mapping[str, Document]) -> Iterator[Diagnostic]:
    """Patterns of replay files that match nothing; a git revision has none on disk that are its own."""
    for document in documents.values():
        sources = document.data.get("sources") if isinstance(document.data, dict) else None
        patterns = sources.get("replay") if isinstance(sources, dict) else None
        for number, pattern in enumerate(patterns if isinstance(patterns, list) else ()):
            if isinstance(pattern, str) and not replay_files(build, [pattern]):
                place = document.span(("sources", "replay", number))
                message, hint = f"no file matches '{pattern}'", "name a file of JSON Lines, from the project's folder"
                yield Diagnostic(code="PF805", span=place, message=message, hint=hint)


def _secrets(documents: Iterable[Document]) -> Iterator[Diagnostic]:
    """What no training row may hold. Markers of a chat and orders to a model are what attacks are made of."""
    for document in documents:
        for finding in scan(document.text):
            if "PF510" <= finding.code <= "PF515":
                before = document.text[: finding.start]
                column = finding.start - (before.rfind("\n") + 1) + 1
                place = Span(
                    file=document.file,
                    line=before.count("\n") + 1,
                    column=column,
                    length=min(finding.end - finding.start, 80),
                )
                yield Diagnostic(code=finding.code, span=place, message=finding.message, hint=finding.hint)


# --- whether the texts can be rendered --------------------------------------------------------------------------------

_NAMES = (
    *("name", "column", "a_column", "table", "value", "other", "other_value"),
    *("via", "a_via", "start", "claimed"),
)
_OF_PERSONA = ("who", "duty", "called", "role", "refusal")


def _texts(
    project: Project,
    documents: Mapping[str, Document],
    attacks: Mapping[str, Sequence[Attack]],
    phrasings: Phrasings,
) -> Iterator[Diagnostic]:
    """Each text is rendered once: for the first agent that it is for, with the first fact of its table."""
    renderer = Renderer(project, clean=neutralise)
    for entry in (one for own in attacks.values() for one in own):
        names = [name for name in project.agents if not entry.agents or name in entry.agents]
        agent = (names[0], project.agents[names[0]].role) if names else ("", None)
        for text in (entry.user, entry.assistant):
            yield from _rendered(renderer, documents, text, agent, None, {})
    agent = next(((one.name, one.role) for one in project.agents.values()), ("", None))
    for (direction, table, column), pair in phrasings.pairs.items():
        of_persona = direction in ("who", "duty", "refuse", "refuse_one", "doubt", "other")
        names_of = dict.fromkeys(_OF_PERSONA if of_persona else _NAMES, "x")
        fact = None if of_persona else _first(project, table, column)
        if of_persona or fact is not None:
            for text in (*pair.ask, *pair.answer):
                yield from _rendered(renderer, documents, text, agent, fact, names_of)


def _first(project: Project, table: str, column: str) -> Fact | None:
    tables = [one for one in project.tables.values() if fnmatchcase(one.name, table)]
    facts = [fact for one in tables for fact in one.facts]
    return next((fact for fact in facts if column == "*" or fact.values.get(column) is not None), None)


def _rendered(
    renderer: Renderer,
    documents: Mapping[str, Document],
    text: Text,
    agent: tuple[str, str | None],
    fact: Fact | None,
    names: Mapping[str, str],
) -> Iterator[Diagnostic]:
    try:
        renderer.render(text, agent=agent, fact=fact, **names)
    except TextError as problem:
        if problem.code and not (fact is not None and problem.code == "PF404"):
            document = documents[text.file]
            line = document.text_line(text.path, problem.line)
            place = document.span(text.path)
            place = place if place.line == line else Span(file=text.file, line=line)
            yield Diagnostic(code=problem.code, span=place, message=problem.message, hint=problem.hint)
