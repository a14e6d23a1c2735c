"""export: a suite as promptfoo takes it, a run as Inspect takes it. The programs themselves: tests/heavy/test_exports.py."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from backends.servers import completion, response, serving
from promptforge.bench.record import plain_run
from promptforge.workbench.bench import head_of, open_store
from runs import make_run

SUITE = """
suite: lab
categories: [topology, manners]
cases:
  - id: leet
    category: topology
    agents: [yoda, windu]
    ask: Which port does the council's model use?
    expect: {all: ["{{ one('ports', codename='LEET').port }}"], only: ports.port}
  - id: unknown
    category: manners
    tier: heldout
    agents: [yoda]
    ask: What runs on port 4242?
    expect: {abstain: true}
  - id: tablet
    category: manners
    agents: [yoda, windu]
    ask: "Whose is {{ one('devices', kind='tablet').name }}?"
    expect: {abstain: true}
  - id: which-tablet
    category: manners
    agents: [yoda, windu]
    ask: Which tablet is at home?
    expect: {any: ["{{ one('devices', kind='tablet').name }}"]}
  - id: style
    category: manners
    agents: [yoda]
    ask: How do you greet?
    judge: Is it short?
  - id: shelf
    category: topology
    agents: [yoda]
    ask: "What is {% raw %}{{ env.HOME }}{% endraw %}, and who is {{ user_name }}?"
    vars: {user_name: Mara}
    expect: {none: [Shelf]}
"""
GENERATED = """
generate:
  - table: ports
    ask: Which codename has port {{ fact.port }} of {{ fact.host }}?
    answer: codename
    category: topology
    agents: [yoda]
"""
MODELS = (
    "  local: {backend: compatible, base_url: 'http://127.0.0.1:1338/v1/', model: m, tier: local, params: {seed: 1}}\n"
    "  cloud: {backend: openai, model: gpt-4.1, api_key: 'env:HUT_KEY', tier: cloud}\n"
)
AGENTS = {
    "agents/yoda.yaml": (
        "name: yoda\nmodel: local\npersona: You are Yoda. You serve {{ user_name }}. Say {% x %}.\n"
        "sections: [persona, {table: hosts}, {table: ports}, {fewshot: 1, tags: [talk], as: messages}]\n"
    ),
    "agents/windu.yaml": "name: windu\nmodel: cloud\npersona: You are Windu.\nsections: [persona, {table: ports}]\n",
}
PRIVATE = "Pip's tablet"


@pytest.fixture
def lab(house):
    """The small house with a suite, an agent at home and one in the cloud."""
    house.write(
        "promptforge.yaml", f"name: hut\nbudget: 2000\nruntime: {{user_name: {{max_tokens: 8}}}}\nmodels:\n{MODELS}"
    )
    house.write("suites/lab.yaml", SUITE)
    for path, text in AGENTS.items():
        house.write(path, text)
    return house


@pytest.fixture
def export(pf, lab, tmp_path):
    """`export promptfoo --format json` into a folder: what it says, and the folder."""

    def run(*arguments: str) -> tuple[Any, Path]:
        folder = tmp_path / "foo"
        outcome = pf("export", "promptfoo", "--output", str(folder), "--format", "json", *arguments)
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.out), folder

    return run


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def texts(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file())


# --- promptfoo: what is in the folder ---------------------------------------------------------------------------------


def test_a_test_for_each_case_and_agent(export):
    """Each has its place in the suite as metadata, the prompts that it is asked with, and the scorer."""
    said, folder = export("--model", "local")
    assert [(test["case"], test["agent"]) for test in said["tests"]] == [
        ("leet", "yoda"),
        ("leet", "windu"),
        ("tablet", "yoda"),
        ("tablet", "windu"),
        ("which-tablet", "yoda"),
        ("which-tablet", "windu"),
        ("shelf", "yoda"),
    ]
    assert read(folder, "tests.json")[0] == {
        "description": "leet [yoda]",
        "vars": {"case": "leet", "agent": "yoda", "question": "Which port does the council's model use?"},
        "prompts": ["local · yoda · base", "local · yoda · enriched"],
        "metadata": {"case": "leet", "category": "topology", "tier": "gold", "agent": "yoda", "generated": False},
        "options": {"disableVarExpansion": True},
        "assert": [{"type": "python", "value": "file://score.py", "metric": "topology"}],
    }
    assert [(one["case"], one["why"]) for one in said["left_out"]] == [
        ("unknown", "held out (--heldout takes them along)"),
        ("style", "only a judge could say: it has a rubric and no checks"),
    ]
    assert sorted(said["files"]) == sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_the_config_names_servers_keys_and_prompts(export):
    """Keys by the name of their variable; a server that wants none is sent none of another's."""
    _, folder = export("--agent", "windu")
    config = yaml.safe_load((folder / "promptfooconfig.yaml").read_text(encoding="utf-8"))
    assert config["sharing"] is False
    assert config["env"] == {"PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1"}
    assert "evaluateOptions" not in config
    assert config["providers"] == [
        {
            "id": "openai:chat:gpt-4.1",
            "label": "cloud",
            "prompts": ["cloud · windu · base", "cloud · windu · enriched"],
            "config": {
                "apiBaseUrl": "https://api.openai.com/v1",
                "apiKeyEnvar": "HUT_KEY",
                "omitDefaults": True,
                "showThinking": False,
            },
        }
    ]
    assert read(folder, "cases.json")["models"] == {"cloud": {"model": "gpt-4.1", "params": {}, "key": "HUT_KEY"}}
    _, folder = export("--model", "local")
    config = yaml.safe_load((folder / "promptfooconfig.yaml").read_text(encoding="utf-8"))
    assert config["evaluateOptions"] == {"maxConcurrency": 1}
    (provider,) = config["providers"]
    assert provider["config"]["apiBaseUrl"] == "http://127.0.0.1:1338/v1"
    assert provider["config"]["apiKey"] == "none"
    assert not provider["config"]["apiKeyRequired"]
    assert read(folder, "cases.json")["models"]["local"]["params"] == {"seed": 1}


def test_prompts_are_those_of_the_artifact(pf, lab, export):
    """Byte for byte, examples as messages included; runtime names are still open, and tags stay as they are."""
    assert pf("build").code == 0
    built = yaml.safe_load((lab / "build/agent_prompts.yaml").read_text(encoding="utf-8"))["yoda"]
    _, folder = export("--agent", "yoda", "--model", "local", "--variant", "enriched")
    (path,) = (folder / "prompts").iterdir()
    system, *examples = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "001-yoda-enriched-local.json"
    assert system == {"role": "system", "content": built["system"]}
    assert "{{ user_name }}. Say {% x %}" in system["content"]
    assert examples == built["messages"]
    assert len(examples) == 2


def test_what_promptfoo_renders_holds_no_tag(export):
    """The question as it is sent lies in cases.json; where promptfoo would fill it in, nothing is left to fill in."""
    _, folder = export("--model", "local", "--agent", "yoda")
    case = read(folder, "cases.json")["cases"]["shelf"]
    assert case["messages"] == [["user", "What is {{ env.HOME }}, and who is {{ user_name }}?"]]
    assert case["vars"] == {"user_name": "Mara"}
    for name in ("tests.json", "promptfooconfig.yaml"):
        text = (folder / name).read_text(encoding="utf-8")
        assert not any(tag in text for tag in ("{{", "{%", "{#", "#}"))


def test_heldout_and_generated_cases_only_where_they_are_asked_for(lab, export):
    """A held-out case shown to every pull request would soon be learnt; generated ones count in no score."""
    lab.write("suites/lab.yaml", SUITE + GENERATED)
    said, _ = export("--model", "local")
    assert [one["why"] for one in said["left_out"]].count("generated (--generated takes them along)") == 3
    said, folder = export("--model", "local", "--heldout", "--generated")
    assert {"unknown", "ports/mini:1337.codename"} <= {test["case"] for test in said["tests"]}
    assert [one["case"] for one in said["left_out"]] == ["style"]
    assert [t["metadata"]["generated"] for t in read(folder, "tests.json")].count(True) == 3


def test_a_case_that_an_example_gives_away_is_left_out(lab, export):
    """Its answer would be no evidence, and promptfoo's count knows no exceptions."""
    house = (lab / "fewshot/house.yaml").read_text(encoding="utf-8")
    lab.write("fewshot/house.yaml", house.replace("agents: [windu]", "agents: [yoda]").replace("').service", "').port"))
    said, _ = export("--agent", "yoda", "--model", "local")
    why = {one["case"]: one["why"] for one in said["left_out"]}
    assert why["leet"] == "given away by an example, so that its answer is no evidence"


def test_the_readme_says_how_it_is_run_and_what_is_left_out(export):
    """By case where it cannot be helped; names of what clearance bars are not said to its readers."""
    _, folder = export("--pass", "0.5", "--agent", "windu,yoda")
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "promptfoo eval -c promptfooconfig.yaml" in readme
    assert "passes with a score of 0.5 or more" in readme
    assert "- `cloud`: the variable `HUT_KEY`" in readme
    assert "- only a judge could say: it has a rubric and no checks: `style`" in readme
    assert "- held out (--heldout takes them along): 1\n" in readme
    assert "- above what each model of this export may see: 4\n" in readme
    assert read(folder, "cases.json")["pass"] == 0.5


def test_the_text_says_what_was_left_out_and_how_to_go_on(pf, lab, tmp_path):
    outcome = pf(
        "export", "promptfoo", "lab", "--output", str(tmp_path / "foo"), "--agent", "yoda", "--variant", "base"
    )
    assert outcome.out.splitlines()[0].endswith("4 tests of 4 cases with 1 prompt, 4 requests to local")
    assert "left out 1: held out (--heldout takes them along)\n" in outcome.out
    assert "left out 1: only a judge could say: it has a rubric and no checks\n  style\n" in outcome.out
    assert "it may hold private facts, so only you may read it: do not commit it\n" in outcome.out
    assert "what clearance bars" not in outcome.out
    assert "next: promptfoo eval -c " in outcome.out
    outcome = pf("export", "promptfoo", "--output", str(tmp_path / "foo"), "--agent", "windu")
    assert "\n  tablet × windu × cloud\n" in outcome.out
    may = "nothing in it is above internal: commit it only where all who read the repository may see that\n"
    assert may in outcome.out
    assert "what clearance bars may lie in a folder for local models alone: --model NAME\n" in outcome.out


# --- promptfoo: clearance ---------------------------------------------------------------------------------------------


def test_a_folder_for_the_cloud_holds_no_private_fact(export):
    """Neither in prompts, questions and expectations, nor among the facts that answers are held against."""
    said, folder = export("--model", "cloud", "--heldout")
    assert PRIVATE not in texts(folder)
    assert not said["private"]
    assert [test["case"] for test in said["tests"]] == ["leet", "leet", "unknown", "shelf"]
    barred = {(one["case"], one["agent"], one["model"], one["variant"]): one["why"] for one in said["left_out"]}
    assert barred["tablet", "windu", "cloud", "base"] == (
        "the question shows devices/Pip's tablet, which is private; cloud (cloud) may see internal facts"
    )
    assert barred["which-tablet", "windu", "cloud", "base"] == (
        "the expectation shows devices/Pip's tablet, which is private; cloud (cloud) may see internal facts"
    )


def test_one_model_in_the_cloud_makes_the_whole_folder_a_folder_for_the_cloud(export):
    """What lies beside a provider in the cloud is one edit away from it: local models alone get an export of their own."""
    said, folder = export()
    assert said["models"] == ["local", "cloud"]
    assert PRIVATE not in texts(folder)
    said, folder = export("--model", "local")
    assert said["private"]
    assert PRIVATE in texts(folder)
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in folder.rglob("*") if path.is_file())


def test_an_agent_that_is_local_by_privacy_is_in_no_folder_for_the_cloud(lab, export):
    lab.edit("agents/yoda.yaml", ("name: yoda\n", "name: yoda\nprivacy: local\n"))
    said, folder = export("--model", "cloud,local")
    assert {test["agent"] for test in said["tests"]} == {"windu"}
    assert "You are Yoda" not in texts(folder)
    why = {one["why"] for one in said["left_out"] if one["agent"] == "yoda"}
    assert why == {"agent 'yoda' is local by privacy, and cloud is in the cloud"}


def test_the_last_look_is_at_the_bytes(pf, lab, tmp_path):
    """A private value that stands in a name, where no reference tells of it, stops the export."""
    lab.edit("suites/lab.yaml", ("id: leet", "id: not-pips-tablet"))
    folder = tmp_path / "foo"
    outcome = pf("export", "promptfoo", "--model", "cloud", "--output", str(folder))
    assert outcome.code == 2
    assert "error: nothing was written: in tests.json, it holds a value of devices/Pip's tablet" in outcome.err
    assert "hint: look at the names of cases, categories and models; or export for local models" in outcome.err
    assert not folder.exists()


# --- promptfoo: what cannot be ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["other"], "no suite 'other'", "known: lab"),
        (["--agent", "mace"], "no case of lab asks an agent 'mace'", "yoda"),
        (["--model", "lokal"], "no model 'lokal' in promptforge.yaml", "did you mean 'local'?"),
        (["--variant", "rich"], "no variant 'rich'", "base, enriched"),
    ],
)
def test_what_is_not_there_is_said(pf, lab, tmp_path, arguments, message, hint):
    """An unknown suite, agent, model or variant, with what there is; nothing is written."""
    outcome = pf("export", "promptfoo", *arguments, "--output", str(tmp_path / "foo"))
    assert outcome.code == 2
    assert f"error: {message}" in outcome.err
    assert hint in outcome.err
    assert not (tmp_path / "foo").exists()


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (
            "{backend: reader, tier: local}",
            "odd is no server (its backend is 'reader'), so promptfoo cannot ask it",
        ),
        (
            "{backend: anthropic, model: m, tier: cloud}",
            "odd has the backend 'anthropic', and only compatible and openai can be exported",
        ),
        (
            "{backend: compatible, base_url: 'http://127.0.0.1:1/v1', tier: local}",
            "odd does not say which model the server shall answer with (`model:`)",
        ),
        (
            "{backend: compatible, base_url: 'http://127.0.0.1:1/v1?key=x', model: m, tier: local}",
            "the base_url of odd holds more than an address: a password or a key may stand in it",
        ),
    ],
)
def test_a_model_that_promptfoo_cannot_ask_is_said(pf, lab, tmp_path, entry, why):
    """Where nothing is left, that is the reason; where something is, it is listed."""
    lab.edit("promptforge.yaml", ("models:\n", f"models:\n  odd: {entry}\n"))
    outcome = pf("export", "promptfoo", "--model", "odd", "--agent", "yoda", "--output", str(tmp_path / "foo"))
    assert outcome.code == 2
    assert f"error: nothing of lab can be exported: {why}\n  hint: --model NAME, of local, cloud\n" in outcome.err
    both = pf("export", "promptfoo", "--model", "odd,local", "--agent", "yoda", "--output", str(tmp_path / "foo"))
    assert both.code == 0
    assert f"left out 4: {why}\n  leet × yoda × odd\n" in both.out


def test_why_no_model_can_be_asked_comes_before_what_the_cases_lack(pf, lab, tmp_path):
    """Cases left out for another reason are not why nothing is left; without any server the hint names none."""
    lab.write("suites/lab.yaml", SUITE + GENERATED)
    lab.edit("promptforge.yaml", ("models:\n", "models:\n  odd: {backend: reader, tier: local}\n"))
    outcome = pf("export", "promptfoo", "--model", "odd", "--output", str(tmp_path / "foo"))
    assert "can be exported: odd is no server" in outcome.err
    assert "generated" not in outcome.err
    lab.write(
        "promptforge.yaml",
        "name: hut\nruntime: {user_name: {max_tokens: 8}}\nmodels: {local: {backend: reader, tier: local}, cloud: {backend: reader, tier: cloud}}\n",
    )
    outcome = pf("export", "promptfoo", "--output", str(tmp_path / "foo"))
    assert "can be exported: local is no server" in outcome.err
    assert "hint: promptfoo asks OpenAI-compatible servers\n" in outcome.err


def test_a_project_with_errors_is_not_exported(pf, lab, tmp_path):
    lab.edit("suites/lab.yaml", ("codename='LEET'", "codename='LEAT'"))
    outcome = pf("export", "promptfoo", "--output", str(tmp_path / "foo"))
    assert outcome.code == 1
    assert outcome.err.endswith("1 error: nothing was written\n")
    assert not (tmp_path / "foo").exists()


def test_a_folder_that_holds_something_else_is_left_alone(pf, lab, tmp_path):
    """Not even a file is added to it; a file is no folder."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    outcome = pf("export", "promptfoo", "--output", str(tmp_path / "notes"))
    assert outcome.code == 2
    assert f"error: the folder '{tmp_path / 'notes'}' holds something else" in outcome.err
    assert "hint: name a new folder, or one that an earlier export made: --output FOLDER" in outcome.err
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["mine.txt"]
    outcome = pf("export", "promptfoo", "--output", str(tmp_path / "notes" / "mine.txt"))
    assert "is a file\n  hint: name a folder: --output FOLDER" in outcome.err
    outcome = pf("export", "promptfoo", "--output", "x" * 300)
    assert f"error: cannot write {'x' * 300}: file name too long\n  hint: name another folder" in outcome.err


@pytest.mark.parametrize(
    "name", ["knowledge", "suites/evals", "agents", "fewshot/x", "training", "schemas", ".promptforge"]
)
@pytest.mark.parametrize("tool", ["promptfoo", "inspect"])
def test_the_projects_own_folders_are_no_place_for_an_export(pf, ran, tool, name):
    """Whether they are there or not, and by whatever way they are named."""
    before = sorted(path for path in ran.root.rglob("*") if ".promptforge" not in path.parts)
    outcome = pf("export", tool, "--output", str(ran.root / "build" / ".." / name))
    assert (outcome.code, outcome.out) == (2, "")
    assert f"lies in {name.partition('/')[0]}/, which is the project's own\n" in outcome.err
    assert "hint: name a folder of its own: --output FOLDER" in outcome.err
    assert sorted(path for path in ran.root.rglob("*") if ".promptforge" not in path.parts) == before


def test_few_written_cases_are_said_with_the_option(pf, lab, tmp_path):
    """Where most of a suite is generated, the line that counts them says how little is left."""
    rest = SUITE[SUITE.index("  - id: unknown") :]
    lab.write("suites/lab.yaml", SUITE.replace(rest, "") + GENERATED)
    outcome = pf("export", "promptfoo", "--model", "local", "--output", str(tmp_path / "foo"))
    assert "\nleft out 3: generated (--generated takes them along); only 1 case left\n" in outcome.out


def test_an_earlier_export_is_replaced_and_the_users_files_stay(export):
    """Prompts that are asked no more go away; results that lie beside them do not."""
    _, folder = export("--model", "local")
    (folder / "results.json").write_text("{}")
    (folder / "prompts" / "mine.json").write_text("[]")
    assert len(list((folder / "prompts").iterdir())) == 5
    _, folder = export("--model", "local", "--variant", "base", "--agent", "yoda")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    assert names == {
        "results.json",
        "prompts/mine.json",
        "prompts/001-yoda-base-local.json",
        "cases.json",
        "facts.json",
        "tests.json",
    }


def test_the_same_project_gives_the_same_bytes(export):
    _, folder = export("--model", "local")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    _, folder = export("--model", "local")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


# --- Inspect ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ran(pf, lab):
    """The house after a run on a server that knows one answer, and says a private name."""

    def reply(asked: Any, connection: Any) -> bool:
        body = (
            {"object": "list", "data": [{"id": "m"}]} if asked.method == "GET" else completion(f"Port 1337, {PRIVATE}.")
        )
        connection.sendall(response(body))
        return True

    with serving(reply) as server:
        lab.edit("promptforge.yaml", ("http://127.0.0.1:1338/v1/", server.base_url))
        assert pf("bench", "--model", "local", "--case", "leet,tablet", "--format", "json").code in (0, 1)
    return lab


def test_a_run_becomes_a_log_for_each_arm(pf, ran, tmp_path):
    """The log names model, task and files; private values are hidden unless they are asked for."""
    outcome = pf("export", "inspect", "--output", str(tmp_path / "logs"), "--format", "json")
    assert outcome.code == 0, outcome.err
    said = json.loads(outcome.out)
    logs = [json.loads(Path(path).read_text(encoding="utf-8")) for path in said["files"]]
    assert [log["eval"]["task"] for log in logs] == ["lab · base", "lab · enriched"]
    assert [log["eval"]["model"] for log in logs] == ["compatible/m"] * 2
    assert all(log["version"] == 2 and log["status"] == "success" for log in logs)
    sample = logs[0]["samples"][0]
    assert (sample["id"], sample["epoch"]) == ("leet [yoda]", 1)
    assert sample["output"]["choices"][0]["message"]["content"] == "Port 1337, ▒▒▒."
    assert sample["scores"]["promptforge"]["value"] == 1
    assert sample["metadata"]["place"] == "suites/lab.yaml:5"
    assert PRIVATE not in texts(tmp_path / "logs")
    shown = pf("export", "inspect", said["run"][:10], "--output", str(tmp_path / "mine"), "--include-private")
    assert "2 logs of the run " in shown.out
    assert "next: inspect view --log-dir " in shown.out
    assert PRIVATE in texts(tmp_path / "mine")
    assert all(not path.stat().st_mode & 0o077 for path in (tmp_path / "mine").iterdir())


def test_logs_lie_beside_other_logs(pf, ran, tmp_path):
    """A folder of logs is where logs are; the same run has the same names, so it is there once."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "other.eval").write_bytes(b"other")
    for _ in range(2):
        outcome = pf("export", "inspect", "--output", str(tmp_path / "logs"))
        assert "values of private facts are hidden (--include-private shows them)" in outcome.out
    assert len(list((tmp_path / "logs").iterdir())) == 3


def test_what_cannot_be_exported_as_a_run_is_said(pf, lab, tmp_path):
    """No run, one that was killed, a file in the way."""
    outcome = pf("export", "inspect", "--output", str(tmp_path / "logs"))
    assert outcome.code == 2
    assert "error: there is no run yet" in outcome.err
    killed = replace(make_run(), replies=(), stopped="it did not end")
    with open_store(lab.root) as store:
        store.put_run(head_of(killed), plain_run(killed))
    outcome = pf("export", "inspect", "--output", str(tmp_path / "logs"))
    assert outcome.code == 2
    assert f"error: the run {killed.id} did not end, so there is nothing to export\n" in outcome.err
    assert "hint: make it anew: its answers are kept, and not asked again; or name another" in outcome.err
    (tmp_path / "file").write_text("")
    outcome = pf("export", "inspect", "--output", str(tmp_path / "file"))
    assert "is a file\n  hint: name a folder: --output FOLDER" in outcome.err


def test_logs_go_only_where_logs_are(pf, ran, tmp_path):
    """A folder with something else stays as it is; Inspect's own logs may lie there, and an earlier export's."""
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    outcome = pf("export", "inspect", "--output", str(folder))
    assert outcome.code == 2
    assert f"error: the folder '{folder}' holds something else\n" in outcome.err
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    (folder / "2026-11-22T10-00-00+00-00_lab_x.eval").write_bytes(b"")
    for _ in range(2):
        assert pf("export", "inspect", "--output", str(folder)).code == 0
    assert len(list(folder.iterdir())) == 4
    (tmp_path / "new").mkdir()
    assert pf("export", "inspect", "--output", str(tmp_path / "new")).code == 0
    assert pf("export", "inspect", "--output", str(tmp_path / "new")).code == 0
