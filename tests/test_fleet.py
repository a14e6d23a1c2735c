"""The table of agents and models, and the evidence behind it: runs put into a history, projects made up."""

import datetime
import json
import random
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from promptforge.advise import advise, fit_of
from promptforge.backends.base import Answer, Usage
from promptforge.bench.record import plain_run
from promptforge.bench.results import Arm, CaseRecord, Reply, Run, Score
from promptforge.compiler.build import Build, compile_project
from promptforge.compiler.load import read_project
from promptforge.emit import emit
from promptforge.errors import UsageError
from promptforge.files import digest_of
from promptforge.fleet import fleet
from promptforge.model import LEVELS
from promptforge.store import HISTORY, Store
from promptforge.workbench.bench import head_of
from promptforge.workbench.fleetfile import FLEET, as_data, changes, is_written, write_fleet
from promptforge.workbench.measured import measures
from promptforge.workbench.suites import Suites, load_suites
from promptforge.workbench.weights import weights_digest
from strategies import tries
from yard import AGENTS, MODELS, write, yard

URL = "http://127.0.0.1:9/v1"
SCHEMA = json.loads((files("promptforge") / "data/schemas/fleet.schema.json").read_text(encoding="utf-8"))


def project(root: Path) -> tuple[Build, Suites]:
    build = compile_project(read_project(root), today=datetime.date(2026, 11, 22))
    return build, load_suites(build)


def run_of(
    build: Build,
    suites: Suites,
    model: str,
    knows: Collection[int],
    *,
    id_: str = "",
    adapter: str = "",
    agents: Collection[str] = (),
    variants: Collection[str] = ("base", "enriched"),
    latency_s: float = 0.5,
    **changes: object,
) -> Run:
    """A run as bench or promote would leave it: the enriched arm knows these sheds, the base arm none."""
    suite = suites.suites["sheds"]
    project_models = build.project.config.models
    described = {**project_models[model].settings, "tier": project_models[model].tier}
    records = tuple(
        CaseRecord(
            id=case.id,
            category=case.category,
            tier=case.tier,
            agents=tuple(name for name in case.agents if not agents or name in agents),
            question=case.question,
            expected=("all: a word",),
            pass_fail=True,
            cluster=case.id,
        )
        for case in suite.cases
    )
    arms = tuple(Arm(model=model, variant=variant, revision="candidate" if adapter else "") for variant in variants)
    around = {"knowledge": digest_of(str(sorted(build.artifact.inputs.items())))[:16]} | (
        {"adapter": adapter} if adapter else {}
    )
    return replace(
        Run(
            id=id_ or f"20261122T1000-{model}{adapter}",
            suite="sheds",
            suite_digest=suite.digest,
            categories=suite.categories,
            started="2026-11-22T10:00:00Z",
            finished="2026-11-22T10:01:00Z",
            arms=arms,
            cases=tuple(record for record in records if record.agents),
            replies=tuple(
                reply(arm, record.id, agent, arm.variant != "base" and int(record.id[1:]) in knows, latency_s)
                for arm in arms
                for record in records
                for agent in record.agents
            ),
            environment=around,
            models={model: described},
        ),
        **changes,
    )


def reply(arm: Arm, case: str, agent: str, right: bool, latency_s: float) -> Reply:
    usage = Usage(input_tokens=1000, output_tokens=40)
    return Reply(
        arm=arm,
        case=case,
        agent=agent,
        repeat=0,
        state="answered",
        identity=f"{arm}{case}{agent}",
        answer=Answer(text=f"{arm} {case} {right}", usage=usage, latency_s=latency_s),
        score=Score(value=float(right)),
    )


def keep(root: Path, *runs: Run) -> Store:
    store = Store(root / HISTORY)
    for run in runs:
        store.put_run(head_of(run), plain_run(run))
    return store


def chosen(root: Path, store: Store) -> dict[str, str]:
    return {seat.agent: seat.choice.model for seat in fleet(*project(root), store).seats}


# --- privacy ----------------------------------------------------------------------------------------------------------

LEVEL = st.sampled_from(sorted(LEVELS))


@st.composite
def houses(draw):
    """Who is private, what is, and what each tier may see. By its scores everybody would get the cloud's model."""
    agents = {
        name: {"model": draw(st.sampled_from([*MODELS, ""])), "privacy": draw(st.sampled_from(["any", "local"]))}
        for name in AGENTS
    }
    return {
        "agents": agents,
        "levels": draw(st.lists(LEVEL, min_size=12, max_size=12)),
        "clearance": {"local": draw(LEVEL), "cloud": draw(LEVEL)},
        "knows": {name: draw(st.sampled_from([range(0), range(3)])) for name in MODELS} | {"far": range(12)},
        "limit": draw(st.sampled_from(["", "fleet: {max_usd: 10, max_latency_s: 20}\n"])),
    }


def built(root: Path, house: Mapping[str, object]) -> None:
    """The house's files."""
    agents = {
        name: f"name: {name}\npersona: You are the {name}.\nprivacy: {about['privacy']}\n"
        + (f"model: {about['model']}\n" if about["model"] else "")
        for name, about in house["agents"].items()
    }
    clearance = ", ".join(f"{tier}: {level}" for tier, level in house["clearance"].items())
    yard(root, URL, agents=agents, sheds=12, settings=f"clearance: {{{clearance}}}\n{house['limit']}")
    rows = [f"  - {{id: s{n:02}, word: word-{n}, sensitivity: {level}}}\n" for n, level in enumerate(house["levels"])]
    write(root / "knowledge/sheds.yaml", "sheds:\n" + "".join(rows))


@given(houses())
@tries(25)
def test_no_private_agent_ever_goes_to_the_cloud(house):
    """Whatever the scores: neither one that is local by privacy, nor one whose prompt holds what no cloud may see."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        built(root, house)
        build, suites = project(root)
        runs = [run_of(build, suites, name, knows) for name, knows in house["knows"].items()]
        with keep(root, *runs) as store:
            found = fleet(build, suites, store)
        for seat in found.seats:
            about = house["agents"][seat.agent]
            if not seat.choice.model or build.project.config.models[seat.choice.model].tier == "local":
                continue
            assert about["privacy"] == "any"
            own = MODELS.get(about["model"], "tier: local").split(",")[0].removeprefix("tier: ")
            may_see, told = LEVELS[house["clearance"]["cloud"]], LEVELS[house["clearance"][own]]
            assert not [level for level in house["levels"] if may_see < LEVELS[level] <= told]
        for category in found.categories:
            for level, to in category.routes.items():
                if to.model and build.project.config.models[to.model].tier == "cloud":
                    assert level != "local"
                    assert LEVELS[house["clearance"]["cloud"]] >= max(LEVELS[level], LEVELS[category.needs])
        for seat in found.seats:
            local = house["agents"][seat.agent]["privacy"] == "local"
            assert (seat.route == "local") == local
        jsonschema.validate(yaml.safe_load(emit(as_data(found))), SCHEMA)


@given(houses(), st.randoms())
@tries(10)
def test_the_same_evidence_gives_the_same_bytes(house, chance):
    """In whatever order it came into the history."""
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        written = []
        for root in (Path(one), Path(two)):
            built(root, house)
            build, suites = project(root)
            runs = [run_of(build, suites, name, knows) for name, knows in house["knows"].items()]
            chance.shuffle(runs)
            with keep(root, *runs) as store:
                write_fleet(root, fleet(build, suites, store))
                assert is_written(root, fleet(build, suites, store))
            written.append((root / FLEET).read_bytes())
        assert written[0] == written[1]


def test_what_its_prompt_holds_keeps_an_agent_at_home(tmp_path):
    """The reason names no fact: the file is for others to read."""
    yard(tmp_path, URL, private=[3, 4])
    build, suites = project(tmp_path)
    runs = [run_of(build, suites, name, range(5 if name == "near" else 60)) for name in ("near", "far")]
    with keep(tmp_path, *runs) as store:
        found = fleet(build, suites, store)
    keeper, nurse, porter = found.seats
    assert keeper.choice.excluded == {
        "far": "its prompt holds 2 facts above internal, which is all that far (cloud) may see"
    }
    assert nurse.choice.excluded == {"far": "nurse is local by privacy, and far is in the cloud"}
    assert porter.choice.model == "far"
    assert "s03" not in emit(as_data(found))


def test_a_private_value_that_somebody_typed_counts_too(tmp_path):
    """It is no fact of the prompt, and found in its text all the same."""
    agents = {**AGENTS, "keeper": "name: keeper\nmodel: near\npersona: Keep 00-00-5E-00-53-21 to yourself.\n"}
    yard(tmp_path, URL, agents=agents)
    device = "devices:\n  - {name: tablet, mac: 00:00:5E:00:53:21, sensitivity: private}\n"
    write(tmp_path / "knowledge/more.yaml", device)
    sections = "sections: [persona, {table: sheds, where: {id: s01}}]\n"
    write(tmp_path / "agents/keeper.yaml", agents["keeper"] + sections)
    with keep(tmp_path) as store:
        keeper = fleet(*project(tmp_path), store).seats[0]
    assert keeper.choice.excluded == {"far": "its prompt holds a value in its text that far (cloud) may not see"}


def test_a_prompt_that_cannot_be_made_for_a_model_is_not_given_to_it(tmp_path):
    """By its exact count it fits the budget; where the count is an estimate, the required part does not."""
    far = "tier: cloud, tokenizer: 'tiktoken:o200k_base'"
    yard(tmp_path, URL, models={**MODELS, "far": far})
    porter = AGENTS["porter"] + "sections: [persona, {table: sheds, required: true}]\n"
    write(tmp_path / "agents/porter.yaml", porter)
    tokens = project(tmp_path)[0].artifact.entries["porter"].enriched.tokens
    write(tmp_path / "agents/porter.yaml", f"{porter}budget: {tokens}\n")
    with keep(tmp_path) as store:
        porter_seat = fleet(*project(tmp_path), store).seats[2]
    why = "its prompt cannot be made for other: see promptforge bench --model other --dry-run"
    assert porter_seat.choice.excluded["other"] == why
    assert porter_seat.choice.model == "far"


def test_the_reader_is_nobodys_model(tmp_path):
    """An agent that has it gets a model, as far as one was measured; nobody else is ever given it."""
    yard(tmp_path, URL, agents={**AGENTS, "clerk": "name: clerk\nmodel: reader\npersona: You are the clerk.\n"})
    build, suites = project(tmp_path)
    with keep(tmp_path, run_of(build, suites, "other", range(50))) as store:
        clerk = fleet(build, suites, store).seats[0]
    assert clerk.choice.model == "other"
    assert clerk.choice.why == (
        "its own model reader is out (the reader is no model: it only looks answers up); "
        "other (0.833 on 60 cases) is the only other that was measured"
    )


# --- champions --------------------------------------------------------------------------------------------------------


def crowned(root: Path, store: Store, model: str, digest: str, category: str = "") -> None:
    body = {"adapter": f".promptforge/champions/{model}/{digest[:16]}", "digest": digest, "recipe": "words"}
    (root / body["adapter"]).mkdir(parents=True)
    store.crown(model, "promote", body, at="2026-11-22T11:00:00Z", category=category)


def test_a_model_with_a_champion_is_measured_with_it(tmp_path):
    """Its untrained runs are no evidence any more; the file says which adapter to load."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    plain = [run_of(build, suites, name, range(60 if name == "other" else 20)) for name in ("near", "other")]
    trained = run_of(build, suites, "near", range(59), adapter="d" * 64, variants=["enriched"])
    with keep(tmp_path, *plain, trained) as store:
        assert chosen(tmp_path, store)["keeper"] == "other"
        crowned(tmp_path, store, "near", "d" * 64)
        found = fleet(build, suites, store)
    keeper = found.seats[0]
    assert (keeper.choice.model, keeper.choice.basis) == ("near", "stays")
    assert keeper.training == "champion 1, recipe words"
    data = as_data(found)["agents"]["keeper"]
    assert data["training"] == {
        "adapter": f".promptforge/champions/near/{'d' * 16}",
        "digest": "d" * 64,
        "recipe": "words",
    }
    assert data["score"] == pytest.approx(59 / 60, abs=1e-4)


def test_a_champion_that_this_suite_has_not_seen_is_not_measured(tmp_path):
    """What the model did without it does not count for it."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    with keep(tmp_path, run_of(build, suites, "near", range(60))) as store:
        crowned(tmp_path, store, "near", "e" * 64)
        keeper = fleet(build, suites, store).seats[0]
    assert keeper.choice.why == (
        "not measured (no run of sheds as it is asked near with its champion; promote measures it): "
        "it keeps the model of its file"
    )


def test_the_champion_of_a_category_is_for_agents_of_that_category_alone(tmp_path):
    """An agent of several categories gets the champion of all of them."""
    yard(tmp_path, URL, asked={"nurse": "family"})
    build, suites = project(tmp_path)
    with keep(tmp_path) as store:
        crowned(tmp_path, store, "near", "a" * 64)
        crowned(tmp_path, store, "near", "b" * 64, "family")
        keeper, nurse, _ = fleet(build, suites, store).seats
    assert keeper.champion.digest == "a" * 64
    assert nurse.champion.digest == "b" * 64


# --- categories -------------------------------------------------------------------------------------------------------


def routes(root, store, category="topology"):
    return next(one for one in fleet(*project(root), store).categories if one.name == category).routes


def rest_on(root: Path, number: int) -> None:
    """One case's expectation says by reference which fact it rests on."""
    text = (root / "suites/sheds.yaml").read_text(encoding="utf-8")
    name = f"{{{{ sheds['s{number:02}'].word }}}}"
    write(root / "suites/sheds.yaml", text.replace(f"{{all: [word-{number}]}}", f'{{all: ["{name}"]}}'))


def test_a_category_that_needs_a_private_fact_goes_to_no_cloud(tmp_path):
    """Whatever the level of the prompt; what a veto forbids is not needed."""
    yard(tmp_path, URL, private=[3, 4])
    rest_on(tmp_path, 3)  # of family; number 4 is of topology, and only forbidden there
    text = (tmp_path / "suites/sheds.yaml").read_text(encoding="utf-8")
    forbidden = "{all: [word-6], none: [\"{{ sheds['s04'].word }}\"]}"
    write(tmp_path / "suites/sheds.yaml", text.replace("{all: [word-6]}", forbidden))
    build, suites = project(tmp_path)
    runs = [run_of(build, suites, name, range(60 if name == "far" else 20)) for name in ("near", "far")]
    with keep(tmp_path, *runs) as store:
        topology, family = fleet(build, suites, store).categories
    assert (topology.needs, family.needs) == ("public", "private")
    assert {level: to.model for level, to in topology.routes.items()} == {
        "public": "far",
        "internal": "far",
        "private": "near",
        "local": "near",
    }
    assert topology.routes["private"].excluded == {"far": "cloud models may see internal facts"}
    assert {to.model for to in family.routes.values()} == {"near"}
    why = "1 of its 30 cases rest on private facts, and cloud models may see internal ones"
    assert family.routes["public"].excluded == {"far": why}


def test_the_limits_hold_for_categories_too(tmp_path):
    """By what the answers in the category cost, and how long they took."""
    yard(tmp_path, URL, settings="fleet: {max_usd: 5, max_latency_s: 2}\n")
    build, suites = project(tmp_path)
    slow = run_of(build, suites, "near", range(60), latency_s=2.5)
    runs = [slow, run_of(build, suites, "other", range(20)), run_of(build, suites, "far", range(60))]
    with keep(tmp_path, *runs) as store:
        to = routes(tmp_path, store)["public"]
    assert (to.model, to.basis) == ("other", "only")
    assert to.excluded == {
        "near": "2.5 s is over fleet.max_latency_s (2)",
        "far": "$6.00 per 1,000 requests is over fleet.max_usd (5)",
    }


def test_a_category_that_nobody_was_asked_is_unknown(tmp_path):
    """No model, and the reason; unanswered requests are no score either."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    run = run_of(build, suites, "near", range(60))
    lost = {"state": "failed", "answer": None, "score": None, "message": "nothing listens"}
    half = replace(run, replies=tuple(replace(r, **lost) if r.case == "c02" else r for r in run.replies))
    with keep(tmp_path, half) as store:
        topology, family = fleet(build, suites, store).categories
    assert (topology.routes["local"].model, topology.routes["local"].basis) == ("", "not measured")
    assert topology.unmeasured["near"] == "3 requests unanswered"
    assert topology.unmeasured["far"] == "no run of sheds asked it"
    assert (family.routes["local"].model, family.routes["local"].basis) == ("near", "only")


def test_a_route_names_the_adapter_that_the_model_is_served_with(tmp_path):
    """That of the category where it has one; and one that is gone is no model that anybody could serve."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    trained = run_of(build, suites, "near", range(60), adapter="b" * 64, variants=["enriched"])
    with keep(tmp_path, run_of(build, suites, "near", range(20)), trained) as store:
        crowned(tmp_path, store, "near", "b" * 64, "family")
        data = as_data(fleet(build, suites, store))
        assert data["categories"]["topology"]["routes"]["local"]["training"] is None
        route = data["categories"]["family"]["routes"]["local"]
        assert route["training"]["digest"] == "b" * 64
        assert data["categories"]["family"]["scores"]["near"] == 1
        jsonschema.validate(yaml.safe_load(emit(data)), SCHEMA)
        (tmp_path / f".promptforge/champions/near/{'b' * 16}").rmdir()
        gone = routes(tmp_path, store, "family")["local"]
    assert gone.model == ""
    assert gone.excluded["near"] == "the adapter of its champion is gone: promptforge champion rollback near"


def test_noise_between_equal_models_gives_no_route_a_better(tmp_path):
    """Both have seven of ten, and not the same ones: a tie, by its name, that goes to the cheaper one."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    chance = random.Random(3)
    runs = [run_of(build, suites, m, [n for n in range(60) if chance.random() < 0.7]) for m in ("near", "other", "far")]
    with keep(tmp_path, *runs) as store:
        found = fleet(build, suites, store)
    for category in found.categories:
        assert category.best.champion == ""
        assert {to.basis for to in category.routes.values()} <= {"tie", "not shown"}
    assert all(seat.choice.basis == "stays" for seat in found.seats)


def test_what_was_measured_on_other_files_is_said(tmp_path):
    """A difference between the two may be that of the prompts; nothing is pooled, and nothing silent."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    old = run_of(build, suites, "near", range(20), id_="a", started="2026-10-01T10:00:00Z")
    old = replace(old, environment={"knowledge": "another"})
    with keep(tmp_path, old, run_of(build, suites, "other", range(50))) as store:
        notes = fleet(build, suites, store).notes
    assert notes == (
        "near: files of the project have changed since run a (2026-10-01), though not the suite",
        "not measured on the same files: near | other; what differs between these may be their prompts': "
        "promptforge bench --model near --model other",
    )


# --- which runs count -------------------------------------------------------------------------------------------------


def test_the_widest_run_counts_and_of_equals_the_latest(tmp_path):
    """A quick look at one agent does not hide last night's whole run."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    whole = run_of(build, suites, "near", range(30), id_="a", started="2026-11-21T10:00:00Z")
    later = run_of(build, suites, "near", range(40), id_="b", started="2026-11-22T10:00:00Z")
    narrow = run_of(build, suites, "near", range(60), id_="c", agents=["nurse"], started="2026-11-23T10:00:00Z")
    cut = replace(later, id="d", stopped="interrupted", finished="", started="2026-11-24T10:00:00Z")
    with keep(tmp_path, whole, later, narrow, cut) as store:
        found = measures(store, suites.suites["sheds"], build)
    assert found.best("near", "enriched").run.id == "b"
    assert found.both("near")[1].run.id == "b"
    assert found.best("near", "without few-shot") is None


def test_a_later_run_that_failed_hides_no_older_one(tmp_path):
    """The latest usable run counts, in `advise` and in `fleet`, and both say so."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    good = run_of(build, suites, "near", range(40), id_="a", started="2026-11-21T10:00:00Z")
    lost = {"state": "failed", "answer": None, "score": None, "message": "nothing listens"}
    failed = run_of(build, suites, "near", range(40), id_="b", started="2026-11-22T10:00:00Z")
    failed = replace(failed, replies=tuple(replace(reply, **lost) for reply in failed.replies))
    bare = run_of(build, suites, "near", range(40), id_="c", started="2026-11-23T10:00:00Z")
    bare = replace(bare, replies=tuple(replace(r, **lost) if r.arm.variant == "base" else r for r in bare.replies))
    with keep(tmp_path, good, failed) as store:
        (near,) = advise(build, suites, store, ["near"]).models
        found = fleet(build, suites, store)
    with keep(tmp_path / "more", good, bare) as store:
        (half,) = advise(build, suites, store, ["near"]).models
    whole = sum(len(case.agents) for case in good.cases if case.counts)
    said = f"run b is later, and {whole} of its {whole} requests have no answer: this rests on run a"
    assert (near.run, near.figures.unanswered, near.notes[0]) == ("a", 0, said)
    assert found.notes == (f"near: {said}",)
    assert found.seats[0].option.level is not None
    assert (half.run, half.figures.base is not None) == ("a", True)
    assert half.notes[0].startswith("run c is later, and ")


def test_agents_that_were_asked_one_by_one_are_all_measured(tmp_path):
    """Each by the run that asked it; advice for the model goes by the widest one, and says how wide it is."""
    yard(tmp_path, URL, asked={"nurse": "family"})
    build, suites = project(tmp_path)
    runs = [
        run_of(build, suites, model, range(60 if model == "other" else 10), id_=f"{model}-{agent}", agents=[agent])
        for model in ("near", "other")
        for agent in ("keeper", "nurse")
    ]
    with keep(tmp_path, *runs) as store:
        keeper, nurse, _ = fleet(build, suites, store).seats
        (other,) = advise(build, suites, store, ["other"]).models
        store_of_nurse = keep(tmp_path / "more", *runs[1::2])
        with store_of_nurse:
            (narrow,) = advise(build, suites, store_of_nurse, ["other"]).models
    assert (keeper.choice.model, keeper.option.level.cases) == ("other", 60)
    assert (nurse.choice.model, nurse.option.level.cases) == ("other", 30)
    assert other.notes == ()
    assert narrow.notes == ("the run asked 30 of the suite's 60 written cases",)


def test_a_run_that_cannot_be_read_is_as_if_it_were_not_there(tmp_path):
    """One damaged run of the history stops nothing."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    run = run_of(build, suites, "near", range(60))
    with keep(tmp_path, run) as store:
        store.put_run(replace(head_of(run), id="other"), {**plain_run(run), "id": "other", "record": 99})
        found = measures(store, suites.suites["sheds"], build)
    assert {one.run.id for one in found.arms} == {run.id}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"model": "another"}, "model"),
        ({"params": {"temperature": 1}}, "params"),
        ({"backend": "replay"}, "backend"),
        ({"tier": "cloud"}, "tier"),
    ],
)
def test_a_model_that_was_another_then_is_stale(tmp_path, change, what):
    """A name in promptforge.yaml is no proof of what answered."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    run = run_of(build, suites, "near", range(60), id_="r")
    run = replace(run, models={"near": {**run.models["near"], **change}})
    with keep(tmp_path, run) as store:
        found = measures(store, suites.suites["sheds"], build)
    assert found.arms == ()
    assert found.why_not("near") == f"its run r is stale: near was another model then ({what} has changed since)"


def weighing(root: Path, build: Build, text: str) -> Build:
    """The project whose model near has weights in a folder of its own."""
    write(root / "models/near/config.json", "{}")
    write(root / "models/near/model.safetensors", text)
    config = (root / "promptforge.yaml").read_text(encoding="utf-8")
    write(root / "promptforge.yaml", config.replace("model: near,", "model: near, weights: models/near,"))
    return project(root)[0]


def test_runs_of_other_weights_under_the_same_name_are_stale(tmp_path):
    """The folder has other files by now: what was measured is of a model that is no more."""
    yard(tmp_path, URL)
    build = weighing(tmp_path, project(tmp_path)[0], "one")
    suites = load_suites(build)
    digest = weights_digest(build.project.config.models["near"], root=tmp_path, environ={})
    run = run_of(build, suites, "near", range(60), id_="r")
    run = replace(run, models={"near": {**run.models["near"], "weights": digest}})
    with keep(tmp_path, run) as store:
        assert advise(build, suites, store, ["near"]).models[0].run == "r"
        write(tmp_path / "models/near/model.safetensors", "others")
        (near,) = advise(build, suites, store, ["near"]).models
        seat = fleet(build, suites, store).seats[0]
        for path in (tmp_path / "models/near").iterdir():
            path.unlink()
        assert advise(build, suites, store, ["near"]).models[0].run == "r"  # not here: nobody knows better
    assert near.advice.strategy == ""
    why = (
        "its run r is stale: the weights of near have changed since (its files are others now); "
        "measure it again: promptforge bench --model near"
    )
    assert near.notes == (why,)
    assert seat.choice.basis == "not measured"
    assert why in seat.choice.why


def test_of_runs_of_two_weights_the_later_ones_count(tmp_path):
    """What a server said of its weights tells them apart; its program's version and the folder do not."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)

    def said(id_: str, day: int, **words: str) -> Run:
        run = run_of(build, suites, "near", range(60), id_=id_, started=f"2026-11-{day}T10:00:00Z")
        return replace(run, models={"near": {**run.models["near"], "says": str(sorted(words.items()))}})

    older = said("a", 10, n_params="7", server="llama.cpp 1")
    same = said("b", 11, n_params="8", server="llama.cpp 1", model_path="/models/near.gguf")
    latest = said("c", 12, n_params="8", server="llama.cpp 2", model_path="/elsewhere/near.gguf")
    silent = run_of(build, suites, "near", range(60), id_="d", started="2026-11-11T09:00:00Z")
    before = run_of(build, suites, "near", range(60), id_="e", started="2026-11-09T10:00:00Z")
    with keep(tmp_path, older, same, latest, silent, before) as store:
        found = measures(store, suites.suites["sheds"], build)
    assert {one.run.id for one in found.arms} == {"b", "c", "d"}
    assert found.stale["near"] == (
        "its run a is stale: the weights of near have changed since (its server said n_params 7 then, 8 in run c); "
        "measure it again: promptforge bench --model near"
    )


def test_two_names_for_one_server_are_not_compared(tmp_path):
    """Answers that are the same word for word say nothing of two models."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    near, other = (run_of(build, suites, name, range(60)) for name in ("near", "other"))
    answers = {(reply.case, reply.agent, reply.arm.variant): reply.answer for reply in near.replies}
    same = tuple(replace(r, answer=answers[r.case, r.agent, r.arm.variant]) for r in other.replies)
    with keep(tmp_path, near, replace(other, replies=same)) as store:
        keeper = fleet(build, suites, store).seats[0]
    assert keeper.choice.why == (
        "other is not comparable: all answers are the same, word for word: one server may answer for both"
    )


def test_a_slow_first_answer_is_no_slow_model(tmp_path):
    """The time that 19 of 20 answers keep; the first one may have loaded the model."""
    yard(tmp_path, URL, settings="fleet: {max_latency_s: 2}\n")
    build, suites = project(tmp_path)
    near, other = run_of(build, suites, "near", range(20)), run_of(build, suites, "other", range(60))
    first = replace(other.replies[0], answer=replace(other.replies[0].answer, latency_s=60.0))
    with keep(tmp_path, near, replace(other, replies=(first, *other.replies[1:]))) as store:
        assert chosen(tmp_path, store)["keeper"] == "other"
        slow = run_of(build, suites, "other", range(60), latency_s=2.5)
        store.put_run(head_of(slow), plain_run(slow))
        keeper = fleet(build, suites, store).seats[0]
    assert keeper.choice.excluded["other"] == "2.5 s is over fleet.max_latency_s (2)"


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_file_that_is_none_of_ours_is_written_anew(tmp_path):
    """Nothing is said of changes against what cannot be read."""
    yard(tmp_path, URL)
    with keep(tmp_path) as store:
        found = fleet(*project(tmp_path), store)
    for text in ("version: 7\nagents: {}\n", "version: 1\nagents: []\n", "version: [", "just words\n"):
        write(tmp_path / FLEET, text)
        assert changes(tmp_path, found) is None
        assert not is_written(tmp_path, found)
    assert write_fleet(tmp_path, found)
    assert not write_fleet(tmp_path, found)
    assert changes(tmp_path, found) == ()


# --- advise -----------------------------------------------------------------------------------------------------------


def test_adapters_that_were_measured_are_in_the_advice(tmp_path):
    """The untrained model is what they are held against, and the champion is called so."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    runs = [
        run_of(build, suites, "near", range(50)),
        run_of(build, suites, "near", range(15), adapter="b" * 64, variants=["enriched"]),
        run_of(build, suites, "near", range(60), adapter="c" * 64, variants=["enriched"]),
    ]
    with keep(tmp_path, *runs) as store:
        crowned(tmp_path, store, "near", "c" * 64)
        (near,) = advise(build, suites, store, ["near"]).models
    assert near.advice.strategy == "strong"
    bad, good = near.advice.notes
    assert bad.startswith(f"the adapter {'b' * 12} is shown to hurt it: 0.833 → 0.250, −0.583, p < 0.0001")
    assert good.startswith(f"the champion {'c' * 12} is shown to help it: 0.833 → 1.000, +0.167, p ")


def test_of_many_nights_the_latest_and_the_champion_are_told(tmp_path):
    """Whoever trains every night does not read a hundred notes."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    nights = [
        run_of(
            build,
            suites,
            "near",
            range(30 + night),
            adapter=f"{night}" * 64,
            variants=["enriched"],
            started=f"2026-11-1{night}T10:00:00Z",
        )
        for night in range(9)
    ]
    with keep(tmp_path, run_of(build, suites, "near", range(30)), *nights) as store:
        crowned(tmp_path, store, "near", "1" * 64)
        (near,) = advise(build, suites, store, ["near"]).models
    told = [note.split(" is ")[0].split()[-1][0] for note in near.advice.notes]
    assert told == ["1", "4", "5", "6", "7", "8"]
    assert near.advice.notes[0].startswith("the champion 111111111111 is not shown to change it: ")


def test_an_adapter_is_held_against_the_untrained_model_of_its_own_night(tmp_path):
    """Not against a wider run of other prompts; where there is none of that night, that is said."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    old = run_of(build, suites, "near", range(10), id_="a", started="2026-10-01T10:00:00Z")
    old = replace(old, environment={"knowledge": "another"})
    night = run_of(build, suites, "near", range(50), agents=["keeper"], id_="b", started="2026-10-02T10:00:00Z")
    after = run_of(build, suites, "near", range(50), agents=["keeper"], adapter="b" * 64, variants=["enriched"])
    with keep(tmp_path, old, after) as store:
        (near,) = advise(build, suites, store, ["near"]).models
        store.put_run(head_of(night), plain_run(night))
        (better,) = advise(build, suites, store, ["near"]).models
    assert near.advice.notes[0].startswith(f"the adapter {'b' * 12} is shown to help it: ")
    assert near.advice.notes[0].endswith("; the untrained model was asked on other files, in run a)")
    assert better.advice.notes[0].startswith(f"the adapter {'b' * 12} is not shown to change it: 0.833 → 0.833")
    assert "other files" not in better.advice.notes[0]


@pytest.mark.parametrize(
    ("mix", "fit"),
    [
        ({"identity": 0.28, "infrastructure": 0.22, "domain": 0.25, "jailbreak": 0.08, "replay": 0.17}, "full"),
        (
            {"identity": 0.2, "infrastructure": 0.8},
            "no jailbreak and no replay rows: what is not trained along is forgotten",
        ),
        (
            {"identity": 0.3, "infrastructure": 0.1, "jailbreak": 0.3, "replay": 0.3},
            "only 10 % of the house (infrastructure and domain)",
        ),
    ],
)
def test_a_mix_is_balanced_or_full_or_neither(mix, fit):
    """And neither has a reason."""
    assert fit_of(mix) == fit


def test_what_is_not_there_is_refused(tmp_path):
    """A model, a suite, or which of several is meant."""
    yard(tmp_path, URL)
    build, suites = project(tmp_path)
    with keep(tmp_path) as store:
        with pytest.raises(UsageError, match="no model 'neer' in promptforge") as problem:
            advise(build, suites, store, ["neer"])
        assert "near" in problem.value.hint
        with pytest.raises(UsageError, match="no suite 'shed'"):
            fleet(build, suites, store, suite="shed")
        with pytest.raises(UsageError, match="the project has no suite"):
            fleet(build, Suites(), store)
        two = Suites(suites={"a": suites.suites["sheds"], "b": suites.suites["sheds"]})
        with pytest.raises(UsageError, match="the project has several suites"):
            advise(build, two, store)
