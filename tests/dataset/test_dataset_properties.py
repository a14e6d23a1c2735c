"""What holds of every dataset, whatever the project and the recipe."""

from collections import Counter
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.dataset.lab import FILES, TODAY

from promptforge.bench.guard import Guard
from promptforge.bench.values import identifiers
from promptforge.compiler.build import compile_project
from promptforge.dataset.dataset import Dataset
from promptforge.dataset.rows import Recipe, Row
from promptforge.dataset.shares import dealt
from promptforge.errors import InputError
from promptforge.files import Tree
from promptforge.model import LEVELS, written
from promptforge.workbench.datasets import make_rows
from promptforge.workbench.recipes import Recipes
from promptforge.workbench.suites import Suites
from promptforge.workbench.variants import compile_for, prompt_of
from strategies import Spec, compiled, projects, tries

MIXES = (
    {"infrastructure": 1.0},
    {"identity": 0.5, "infrastructure": 0.5},
    {"identity": 0.3, "infrastructure": 0.6, "domain": 0.1},
    {"identity": 1.0},
)


@st.composite
def recipes(draw, spec: Spec) -> Recipe:
    """A recipe for some agents of a project."""
    names = sorted(agent["name"] for agent in spec["agents"].values())
    return Recipe(
        name="made",
        file="training/made.yaml",
        agents=tuple(draw(st.lists(st.sampled_from(names), unique=True, min_size=1))),
        model=draw(st.sampled_from(["near", "near", "far"])),
        system=draw(st.sampled_from(["enriched", "base"])),
        rows=draw(st.integers(12, 60)),
        mix=draw(st.sampled_from(MIXES)),
        limits={},
        valid=draw(st.sampled_from([0.0, 0.05, 0.2])),
        test=draw(st.sampled_from([0.0, 0.05, 0.1])),
        max_share_per_fact=draw(st.sampled_from([0.1, 0.3, 1.0])),
        seed=draw(st.integers(0, 5)),
    )


class Made(tuple):
    """A build, a recipe, and the dataset that comes of it; None where there are not enough rows."""

    __slots__ = ()

    def __repr__(self) -> str:
        build, recipe, _ = self
        files = {path: content.decode() for path, content in build.tree.files.items()}
        return f"Made({recipe!r} of {files!r})"


@st.composite
def datasets(draw) -> Made:
    """What a random recipe makes of a random project."""
    spec = draw(projects(tight=False))
    recipe = draw(recipes(spec))
    build = compiled(spec)
    assume(not build.errors)
    try:
        return Made([build, recipe, make_rows(build, Suites(), Recipes(), recipe)])
    except InputError:
        return Made([build, recipe, None])


def rows_of(dataset: Dataset) -> list[tuple[str, Row]]:
    return list(dataset)


@given(datasets())
@tries(30)
def test_no_fact_is_on_two_sides(one):
    """Whatever a row rests on, all others that rest on it are with it; and every row is on one side."""
    _, recipe, dataset = one
    assume(dataset is not None)
    sides: dict[str, set[str]] = {}
    rows = rows_of(dataset)
    for side, row in rows:
        for fact in row.facts:
            sides.setdefault(fact, set()).add(side)
    assert all(len(where) == 1 for where in sides.values())
    assert len(rows) == len({row.id for _, row in rows}) == dataset.account.rows
    assert {side for side, _ in rows} <= {
        "train",
        *(["valid"] if recipe.valid else []),
        *(["test"] if recipe.test else []),
    }


@given(datasets())
@tries(30)
def test_shares_are_exact_to_one_row_and_facts_have_no_more_than_theirs(one):
    """Of the rows that were made; fewer than asked for only where it is said."""
    _, recipe, dataset = one
    assume(dataset is not None)
    rows = [row for _, row in rows_of(dataset)]
    kinds = Counter(row.kind for row in rows)
    for kind, share in recipe.mix.items():
        assert abs(kinds[kind] - share * len(rows)) < 1
    assert dataset.account.kinds == kinds
    assert recipe.rows * 0.9 <= len(rows) <= recipe.rows
    assert len(rows) == recipe.rows or dataset.account.notes[0].startswith(f"{len(rows):,} rows rather than")
    facts = Counter(fact for row in rows for fact in row.facts)
    assert max(facts.values(), default=0) <= max(1, len(rows) * recipe.max_share_per_fact + 1e-9)


@given(datasets())
@tries(15)
def test_the_same_seed_gives_the_same_rows(one):
    """In the same order, word for word."""
    build, recipe, dataset = one
    assume(dataset is not None)
    again = make_rows(build, Suites(), Recipes(), recipe)
    assert rows_of(again) == rows_of(dataset) == rows_of(dataset)
    assert again.account == dataset.account


@given(datasets())
@tries(30)
def test_no_row_holds_what_its_agent_may_not_see(one):
    """By fact and by value; and what it is taught stands in its prompt. The prompt is the artifact's."""
    build, recipe, dataset = one
    assume(dataset is not None)
    model = build.project.config.models[recipe.model]
    allowed = build.project.config.clearance[model.tier]
    guard = Guard(build.project.tables, allowed)
    entries = compile_for(build, recipe.agents, model)
    for _, row in rows_of(dataset):
        entry = entries[row.agent].entry
        assert row.messages[0] == ("system", prompt_of(entry, recipe.system).system)
        assert not guard.find([row.user, row.assistant])
        for fact in row.facts:
            assert LEVELS[build.artifact.facts[fact].level] <= LEVELS[allowed]
        if row.kind == "infrastructure":
            held = {s.facts[0] for s in entry.enriched.segments if s.kind == "row"}
            assert set(row.facts) <= held


@given(datasets())
@tries(30)
def test_rows_are_what_a_trainer_takes(one):
    """System, user, assistant; nothing empty; each says something of its own; and knows its file."""
    _, _, dataset = one
    assume(dataset is not None)
    rows = [row for _, row in rows_of(dataset)]
    for row in rows:
        assert [role for role, _ in row.messages] == ["system", "user", "assistant"]
        assert row.user.strip()
        assert row.assistant.strip()
        assert row.file
        assert row.line > 0
    assert len({(row.user, row.assistant) for row in rows}) == len(rows)


@given(st.integers(0, 10_000))
@tries(15)
def test_every_value_of_an_answer_is_in_a_fact_or_the_question(seed):
    """Identifiers of infrastructure answers: none is made up by the wording."""
    tree = Tree(root=Path("/nowhere"), files={path: text.encode() for path, text in sorted(FILES.items())})
    build = compile_project(tree, today=TODAY)
    recipe = Recipe(
        name="lab",
        file="training/lab.yaml",
        agents=("windu",),
        model="near",
        system="base",
        rows=300,
        mix={"infrastructure": 1.0},
        limits={},
        max_share_per_fact=0.5,
        seed=seed,
    )
    facts = " | ".join(written(v) for t in build.project.tables.values() for f in t.facts for v in f.values.values())
    for _, row in make_rows(build, Suites(), Recipes(), recipe):
        assert named(row.assistant) <= named(facts) | named(row.user), (row.user, row.assistant)


def named(text: str) -> set[tuple[str, object]]:
    return {(one.kind, one.value) for one in identifiers(text) if one.kind != "port"}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), min_size=1, max_size=6), st.integers(0, 10**7))
def test_rows_are_dealt_exactly(shares, total):
    """All of them, none negative, each share exact to one row."""
    rows = dealt(total, shares)
    whole = sum(shares.values())
    assume(whole > 1e-6)
    assert sum(rows.values()) == total
    assert all(count >= 0 and abs(count - total * shares[name] / whole) < 1 + 1e-6 for name, count in rows.items())
