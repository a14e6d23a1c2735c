"""The mix exactly; no fact more than its share; no written case given away; impossible recipes refused with numbers."""

import pytest
from tests.dataset.lab import FILES, RECIPE, loaded, made, rows_of

from promptforge.dataset.recipe import batch_size
from promptforge.errors import InputError, UsageError
from promptforge.workbench.datasets import make_rows
from promptforge.workbench.recipes import find_recipe

SUITE = """
suite: s
cases:
  - id: vault
    category: topology
    agents: [windu]
    tier: heldout
    ask: Where would somebody put what the council remembers?
    expect: {all: ["{{ one('ports', codename='Nice.').service }}"]}
  - id: open-port
    category: topology
    agents: [windu]
    ask: "{{ one('ports', codename='LEET').host }} port {{ one('ports', codename='LEET').port }}, whose is that now?"
    expect: {abstain: true}
  - id: who
    category: identity
    agents: [windu]
    ask: Who are you?
    expect: {any: [Windu]}
"""


def test_each_kind_has_its_share_of_the_rows(tmp_path):
    """And each category of infrastructure its share of these."""
    account = made(tmp_path).account
    assert account.kinds == {"identity": 40, "infrastructure": 160}
    assert account.categories["infrastructure", "forward"] == 56
    assert sum(account.categories.values()) == account.rows == account.asked == 200
    assert not [note for note in account.notes if "rows rather than" in note]


def test_no_more_than_a_share_of_the_rows_rests_on_one_fact(tmp_path):
    """The most of any is named."""
    dataset = made(tmp_path, RECIPE.replace("max_share_per_fact: 0.2", "max_share_per_fact: 0.07"))
    counts: dict[str, int] = {}
    for row in rows_of(dataset):
        for fact in row.facts:
            counts[fact] = counts.get(fact, 0) + 1
    assert max(counts.values()) == dataset.account.most_of_a_fact[1] == 14
    assert dataset.account.left_out["fact"] > 0


def test_what_a_category_lacks_the_others_of_its_kind_give_and_it_is_said(tmp_path):
    """With one wording there are few twins."""
    one = """
phrasings:
  - {direction: twin, ask: ["{{ name }} {{ column }} {{ claimed }}?"], answer: ["No, {{ value }}"]}
  - {direction: confirmed, ask: ["{{ name }} {{ column }} {{ claimed }}?"], answer: ["Yes, {{ value }}"]}
"""
    recipe = RECIPE.replace("rows: 200", "rows: 400").replace("0.2,", "0.1,").replace("0.8", "0.9")
    account = made(tmp_path, recipe, training__phrasings=one).account
    assert account.rows == 400
    assert account.kinds["infrastructure"] == 360
    twins = account.categories["infrastructure", "twin"]
    assert twins < 54
    assert account.notes[0] == (
        f"infrastructure: twin gives {twins} of its 54 rows; other categories of infrastructure give the rest"
    )


def test_a_written_case_is_not_given_away_whatever_its_tier(tmp_path):
    """Not by an answer that prints what it expects, not by a question like its own; both are counted."""
    recipe = RECIPE.replace("{identity: 0.2, infrastructure: 0.8}", "{identity: 0.3, infrastructure: 0.7}")
    dataset = made(tmp_path, recipe.replace("rows: 200", "rows: 420"), suites__s=SUITE)
    rows = rows_of(dataset)
    assert len(rows) == 420
    assert not [row for row in rows if ("ports/mini:42069", "service") in row.asked]
    assert not [row for row in rows if row.user.casefold() == "who are you?"]
    assert dataset.account.cases["vault"] == dataset.account.left_out["expected"] > 0
    assert sum(dataset.account.cases.get(name, 0) for name in ("who", "open-port")) == dataset.account.left_out["alike"]
    assert dataset.account.cases["who"] > 0


def test_a_generated_case_is_not_looked_at(tmp_path):
    """It is made from facts, as the rows are."""
    suite = """
suite: s
generate:
  - {table: ports, ask: "What is on {{ fact.host }} {{ fact.port }}?", answer: service, category: t, agents: [windu]}
"""
    assert made(tmp_path, suites__s=suite).account.cases == {}


def test_no_two_rows_say_the_same(tmp_path):
    """Question and answer word for word, whoever is asked."""
    recipe = RECIPE.replace("[windu]", "[windu, yoda]").replace("rows: 200", "rows: 300")
    rows = rows_of(made(tmp_path, recipe))
    assert len({(row.user, row.assistant) for row in rows}) == len(rows) == 300
    assert {row.agent for row in rows} == {"windu", "yoda"}


def test_a_little_too_few_make_all_kinds_fewer_and_it_is_said(tmp_path):
    """One sound line of two is missing: the mix stays, the total shrinks."""
    (tmp_path / "own.jsonl").write_text(
        "".join(f'{{"prompt": "What is {n} and {n}?", "completion": "{2 * n}"}}\n' for n in range(19)) + "{\n"
    )
    recipe = RECIPE.replace("{identity: 0.2, infrastructure: 0.8}", "{identity: 0.2, infrastructure: 0.7, replay: 0.1}")
    account = made(tmp_path, recipe + "sources: {replay: [own.jsonl]}\n").account
    assert account.kinds == {"identity": 39, "infrastructure": 136, "replay": 19}
    assert account.supply == {"replay": 19}
    assert account.notes[0] == (
        "194 rows rather than 200, so that the mix is as asked: replay needs 20 (0.1 of 200) and 19 can be made"
    )
    assert account.notes[1] == (
        "replay: 1 line is no row, the first at own.jsonl:20: it is not JSON: "
        "expecting property name enclosed in double quotes, at column 2; the other 19 are used"
    )


def test_far_too_few_are_refused_with_the_arithmetic(tmp_path):
    """By kind: what is wanted, what there is, and what would do."""
    recipe = RECIPE.replace("rows: 200", "rows: 5000").replace("fact: 0.2", "fact: 0.5")
    with pytest.raises(InputError) as refused:
        made(tmp_path, recipe)
    said = refused.value.message
    assert said.startswith(
        "the recipe 'lab' asks for more rows than there are: identity needs 1,000 (0.2 of 5,000) and"
    )
    assert "infrastructure needs 4,000 (0.8 of 5,000) and" in said
    assert "write rows: " in refused.value.hint
    assert ", give identity 0.027 of the mix or less, or write more to make it of" in refused.value.hint


def test_a_kind_without_anything_to_make_it_of_is_refused(tmp_path):
    """Not one worked example is written for Windu."""
    recipe = RECIPE.replace("{identity: 0.2, infrastructure: 0.8}", "{identity: 0.2, infrastructure: 0.7, domain: 0.1}")
    with pytest.raises(InputError) as refused:
        made(tmp_path, recipe)
    assert refused.value.hint == "there is nothing to make domain of: write some, or leave it out of the mix"


def test_the_rows_that_a_refusal_names_can_be_made(tmp_path):
    """What the hint says is true, or nearly: a fact's share shrinks with the rows."""
    recipe = RECIPE.replace("rows: 200", "rows: 5000").replace("fact: 0.2", "fact: 1")
    with pytest.raises(InputError) as refused:
        made(tmp_path, recipe)
    rows = int(refused.value.hint.split("rows: ")[1].split(" ")[0].replace(",", ""))
    assert made(tmp_path, recipe.replace("rows: 5000", f"rows: {rows}")).account.rows == rows


def test_a_project_with_errors_makes_no_rows(tmp_path):
    """The errors are for check to show."""
    build, suites, recipes = loaded(tmp_path)
    broken = type(recipes)(recipes=recipes.recipes, diagnostics=(loaded_error(tmp_path),))
    with pytest.raises(InputError, match="the project has 1 errors"):
        make_rows(build, suites, broken, recipes.recipes["lab"])


def loaded_error(tmp_path):
    from promptforge.source import Diagnostic, Span

    return Diagnostic(code="PF801", span=Span(file="training/lab.yaml"), message="made up")


def test_an_agent_that_cannot_be_compiled_for_the_model_is_named(tmp_path):
    """A required private table has no place in the cloud."""
    agent = FILES["agents/windu.yaml"].replace("{table: devices}", "{table: devices, required: true}")
    with pytest.raises(InputError, match="the recipe 'lab' cannot train agent 'windu': it cannot be compiled for far"):
        made(tmp_path, RECIPE.replace("near", "far"), agents__windu=agent)


def test_a_recipe_is_found_by_name_or_file_and_a_wrong_name_is_told(tmp_path):
    """With the nearest known one."""
    _, _, recipes = loaded(tmp_path)
    assert find_recipe(recipes, "training/lab.yaml") is find_recipe(recipes, "lab")
    with pytest.raises(UsageError, match="no recipe 'lob' that can be used") as refused:
        find_recipe(recipes, "lob")
    assert refused.value.hint == "did you mean 'lab'?"


def test_a_recipe_has_the_defaults_of_the_contract(tmp_path):
    """And the trainer's settings as they are written."""
    _, _, recipes = loaded(tmp_path)
    recipe = recipes.recipes["lab"]
    assert (recipe.system, recipe.format, recipe.trainer.kind, batch_size(recipe)) == ("enriched", "mlx", "mlx_lm", 4)
    assert (recipe.valid, recipe.test, recipe.seed, recipe.seeds, recipe.paraphrase) == (0.05, 0.05, 0, 1, "")
    text = RECIPE + "trainer: {kind: trl, batch_size: 8, rank: 4}\nformat: trl\n"
    _, _, recipes = loaded(tmp_path, training__lab=text)
    recipe = recipes.recipes["lab"]
    assert (recipe.trainer.kind, batch_size(recipe), dict(recipe.trainer.settings)["rank"]) == ("trl", 8, 4)
