"""What a run says of the servers that answered, what it may spend, and what it prints of private facts."""

import json

import click
import pytest

from backends.servers import completion
from cli.laboratory import SUITE, knows, model, posts


def test_another_models_name_is_said(pf, lab):
    """In every form, with what was asked for: the founder once measured another server than he meant."""
    with model(lambda system, question: completion(knows(system, question), model="other-13b")) as server:
        lab(server)
        said = pf("bench", "--model", "local")
        forms = [pf("report", "--format", form, "--output", "-").out for form in ("html", "json", "markdown")]
    note = "local: asked for 'm', but its server says of 12 answers: 'other-13b'"
    assert said.code == 0
    assert f"note: {note}; if that is not what you mean, look at base_url and model in promptforge.yaml\n" in said.out
    assert [note in form.replace("&#39;", "'") for form in forms] == [True] * 3


def test_the_name_that_was_asked_for_needs_no_word(pf, lab):
    """A dated version of it neither."""
    with model(lambda system, question: completion(knows(system, question), model="m-2026-11-22")) as server:
        lab(server)
        assert "asked for" not in pf("bench", "--model", "local").out
        assert "the server says" not in pf("ask", "yoda", "Where is the attic?").err


def test_another_models_name_is_said_by_ask(pf, lab):
    """On the line below the answer."""
    with model(lambda system, question: completion("42", model="other-13b")) as server:
        lab(server)
        assert "the server says that other-13b answered" in pf("ask", "yoda", "Where is the attic?").err


def test_a_server_that_counts_no_tokens_is_named(pf, lab):
    """What it cost and how fast it was is then not known, and is not said to be nothing."""

    def uncounted(system: str, question: str) -> dict[str, object]:
        return {
            name: value for name, value in completion(knows(system, question), model="m").items() if name != "usage"
        }

    with model(uncounted) as server:
        lab(server)
        said = pf("bench", "--model", "local")
    assert "note: local: 12 answers came without counts of tokens: their cost and speed are not known" in said.out


def test_who_may_spend_nothing_asks_what_is_free(pf, lab, house):
    """A local model without a price costs nothing; one with a price is not asked at all."""
    with model() as server:
        lab(server)
        free = pf("bench", "--model", "local", "--max-usd", "0")
        assert (free.code, len(posts(server))) == (0, 12)
        paid = pf("bench", "--model", "cloud", "--max-usd", "0")
        assert (paid.code, len(posts(server))) == (3, 12)
        assert "the budget of $0 is used up" in paid.out
        house.edit("promptforge.yaml", ("budget: 2000\n", "budget: 2000\nlimits: {bench: {usd: 0}}\n"))
        assert pf("bench", "--model", "local", "--fresh").code == 0


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--timeout", "nan", "nan is no number to count with."),
        ("--max-usd", "inf", "inf is no number to count with."),
        ("--timeout", "1e9", "1000000000.0 is not in the range 0.01<=x<=604800.0."),
    ],
)
def test_what_is_no_number_is_no_bound(pf, lab, option, value, message):
    """A deadline that is no number never comes."""
    with pytest.raises(click.BadParameter) as caught:
        pf("bench", option, value)
    assert caught.value.exit_code == 2
    assert caught.value.format_message() == f"Invalid value for '{option}': {message}"


@pytest.mark.parametrize("form", ["json", "markdown", "junit"])
def test_what_is_printed_hides_private_values_as_a_report_does(pf, lab, form):
    """A pull request and a CI's page are read by others; whoever asks for the values gets them."""
    with model() as server:
        lab(server)
        assert "Pip" not in pf("bench", "--model", "local", "--format", form).out
        whole = pf("bench", "--model", "local", "--format", form, "--include-private").out
    assert ("Pip" in whole) is (form == "json")  # the others print the answers to cases that went wrong alone


def test_a_tool_whose_properties_change_places_is_asked_anew(pf, lab, house):
    """What is sent differs, so an older answer is no answer to it; the order of parameters is none."""
    fields = {"a": {"type": "string"}, "b": {"type": "string"}}
    with model() as server:
        lab(server)

        def asked(properties: object, params: str) -> int:
            before = len(posts(server))
            tool = {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": properties}}
            house.write("suites/lab.yaml", f"{SUITE}tools: [{json.dumps(tool)}]\n")
            lab_again = (
                f"{{backend: compatible, base_url: '{server.base_url}', model: m, tier: local, params: {params}}}"
            )
            house.write(
                "promptforge.yaml", f"name: hut\nbudget: 2000\nmodels:\n  local: {lab_again}\n  cloud: {lab_again}\n"
            )
            outcome = pf("bench", "--case", "unknown", "--variant", "base")
            assert outcome.code == 0, outcome.err
            return len(posts(server)) - before

        assert asked(fields, "{seed: 7, top_p: 0.5}") == 1
        assert asked(fields, "{top_p: 0.5, seed: 7}") == 0
        assert asked(dict(reversed(fields.items())), "{seed: 7, top_p: 0.5}") == 1


def test_a_plan_counts_what_an_ablation_leaves(pf, lab):
    """Not the whole prompt once more: a limit would ask for a yes that nobody needs."""
    with model() as server:
        lab(server)

        def counted(*options: str) -> int:
            return int(
                json.loads(pf("bench", "--agent", "yoda", "--dry-run", "--format", "json", *options).out)[
                    "input_tokens"
                ]
            )

        base, enriched = counted("--variant", "base"), counted("--variant", "enriched")
        both = counted("--variant", "enriched", "--only", "few-shot")
        assert posts(server) == []
    assert enriched + base < both < 1.9 * enriched
