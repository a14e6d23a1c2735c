"""`init --from`: prompts that exist already come back byte for byte, or are refused before anything is written."""

import datetime
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import event, example, given
from hypothesis import strategies as st

from promptforge.artifact import prompts_text
from promptforge.errors import InputError, UsageError
from promptforge.workbench.adopt import Adopted, adopt
from promptforge.workbench.forge import forge

TODAY = datetime.date(2026, 11, 22)
SENT = ("system", "messages", "model")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "promptforge", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def take_over(folder: Path, prompts: object) -> Adopted:
    source = folder / "agent_prompts.yaml"
    if not isinstance(prompts, str):  # PyYAML does not read a NEL back that it wrote unescaped
        prompts = yaml.safe_dump(prompts, allow_unicode=not re.search(r"\\x85|\\u202[89]", repr(prompts)))
    source.write_text(prompts, encoding="utf-8", newline="")
    return adopt(source, folder / "house", today=TODAY)


def built(folder: Path) -> dict[str, Any]:
    """What a consumer reads after a build."""
    _, build = forge(folder, today=TODAY)
    assert not build.errors
    return yaml.safe_load((folder / "build/agent_prompts.yaml").read_text(encoding="utf-8"))


def sent(prompts: dict[str, Any]) -> dict[str, Any]:
    return {name: {key: body[key] for key in SENT if key in body} for name, body in prompts.items()}


def chat(*texts: str) -> list[dict[str, str]]:
    """Messages of a user and an assistant in turn."""
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


# --- byte for byte ----------------------------------------------------------------------------------------------------

PIECES = [
    *("{{", "}}", "{%", "%}", "{#", "#}", "{{ user_name }}", "{% raw %}", "{% endraw %}", "{{ '{{' }}", "{%- x -%}"),
    *("{}|>#*&!@`%?~é🦊'\"\\"),
    *("---", "...", "\\n", "off", "0123", "22:22", "日本", "- a", "key: value", " # comment"),
    *("You are Windu.", "x" * 90),
    *(" ", "  ", "\t", "\n", "\n\n", " \n", "\t\n", "\r", "\r\n", "\x85", "\u2028", "\xa0"),
]
LETTERS = st.characters(codec="utf-8", exclude_categories=["Cs", "Co", "Cn", "Cc"], include_characters="\n\t")
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join),
    st.text(LETTERS, min_size=1),
)
contents = texts.map(lambda text: text.strip("\n")).filter(bool)
names = st.sampled_from(["windu", "Windu", "yes", "0123", "être", "-x", ".", "..", "a.yaml", "=", "~", "x" * 200])


@st.composite
def bodies(draw: Any) -> Any:
    body: dict[str, Any] = {"system": draw(texts)}
    if pairs := draw(st.lists(st.tuples(contents, contents), max_size=3)):
        body["messages"] = chat(*(text for pair in pairs for text in pair))
    if draw(st.booleans()):
        body["model"] = draw(st.sampled_from(["opus", "off", "a b: c", "ünï"]))
    if draw(st.booleans()):
        body["tokens"] = 7
    return body["system"] if len(body) == 1 and draw(st.booleans()) else body


@given(prompts=st.dictionaries(names, bodies(), min_size=1, max_size=4))
@example(prompts={"windu": "\n"})
@example(prompts={"windu": {"system": " ", "messages": chat("{{{\r{%", "{")}})
def test_every_text_comes_back(prompts):
    """Whatever the texts, build gives system, messages and model back as PyYAML reads them."""
    with tempfile.TemporaryDirectory() as folder:
        adopted = take_over(Path(folder), prompts)
        if adopted.build.errors:  # a text may hold what no prompt should: then only build says no
            event("with errors: " + " ".join(sorted({d.code for d in adopted.build.errors})))
            assert {d.code for d in adopted.build.errors} <= {"PF521", "PF522"}
            found = yaml.safe_load(prompts_text(adopted.build.artifact))
        else:
            found = built(Path(folder) / "house")
        expected = {name: {"system": body} if isinstance(body, str) else body for name, body in prompts.items()}
        assert sent(found) == sent(expected)


def test_an_artifact_of_promptforge_comes_back(tmp_path):
    """The prompts of this repository's own house, taken over, compile to the same file but for the counts."""
    root = Path(__file__).parents[2]
    source = tmp_path / "prompts.yaml"
    assert run(root, "build", "--output", str(source)).returncode == 0
    done = run(tmp_path, "init", "--from", "prompts.yaml", "again")
    assert (done.returncode, done.stderr) == (0, "")
    assert sent(built(tmp_path / "again")) == sent(yaml.safe_load(source.read_text()))


def test_a_long_prompt_gets_a_budget(tmp_path):
    """A prompt over the default budget gets one of its own, in whole thousands; the others get none."""
    long = "All work and no play makes Jack a dull boy. " * 2000
    adopted = take_over(tmp_path, {"jack": long, "short": "Be brief."})
    tokens = adopted.build.artifact.entries["jack"].enriched.tokens
    budget = yaml.safe_load((tmp_path / "house/agents/jack.yaml").read_text())["budget"]
    assert tokens > 6000
    assert budget % 1000 == 0
    assert 0 <= budget - tokens < 1000
    assert "budget" not in (tmp_path / "house/agents/short.yaml").read_text()
    assert built(tmp_path / "house")["jack"]["system"] == long


# --- what is written --------------------------------------------------------------------------------------------------


def test_files_are_written_to_be_read(tmp_path):
    """A prompt of several lines is a `|` block, and messages are examples with their braces made literal."""
    messages = chat("Is {{ name }} up?", "Yes.\nAnd {% x %}.")
    take_over(tmp_path, {"windu": {"system": "You are Windu.\nBe brief.\n", "messages": messages, "model": "opus"}})
    assert (tmp_path / "house/agents/windu.yaml").read_text() == (
        "# yaml-language-server: $schema=../schemas/agent.schema.json\n"
        "name: windu\nmodel: opus\npersona: |\n  You are Windu.\n  Be brief.\n"
        "sections:\n  - persona\n  - fewshot: 1\n    as: messages\n    required: true\n"
    )
    assert (tmp_path / "house/fewshot/windu.yaml").read_text() == (
        "# yaml-language-server: $schema=../schemas/fewshot.schema.json\n"
        "examples:\n  - id: windu-1\n    agents:\n      - windu\n"
        "    user: \"Is {{ '{{' }} name }} up?\"\n    assistant: |-\n      Yes.\n      And {{ '{%' }} x %}.\n"
    )
    config = (tmp_path / "house/promptforge.yaml").read_text()
    assert config.startswith(
        "# yaml-language-server: $schema=schemas/project.schema.json\n# Taken over from agent_prom"
    )
    assert "a `local` model may see private facts, a `cloud` model may not" in config
    assert yaml.safe_load(config)["models"] == {
        "opus": {"backend": "compatible", "base_url": "http://127.0.0.1:1337/v1", "tier": "cloud", "model": "opus"}
    }
    assert (tmp_path / "house/schemas/agent.schema.json").exists()
    assert (tmp_path / "house/.gitignore").exists()


def test_a_model_is_local_only_where_its_name_says_so(tmp_path):
    """Nobody's private facts are shown to a model by a guess."""
    names = ("opus", "gpt-4.1", "council-mlx", "local", "Qwen2.5-7B.gguf", "ollama/llama3", "vocal-1")
    take_over(tmp_path, {f"a{n}": {"system": "You are one.", "model": name} for n, name in enumerate(names)})
    models = yaml.safe_load((tmp_path / "house/promptforge.yaml").read_text())["models"]
    assert [name for name in names if models[name]["tier"] == "local"] == [
        "council-mlx", "local", "Qwen2.5-7B.gguf", "ollama/llama3",
    ]  # fmt: skip


def test_says_what_it_made(tmp_path):
    """The agents with their tokens, the next commands, and on stderr what was not taken over."""
    windu = {"system": "You are Windu.", "temperature": 0, "tools": [], "tokens": 3, "model": 4}
    (tmp_path / "prompts.yaml").write_text(yaml.safe_dump({"windu": windu, "yoda": "Hm."}))
    done = run(tmp_path, "init", "--from", "prompts.yaml", "house")
    assert done.returncode == 0
    assert done.stdout.startswith("took over 2 prompts into house\n")
    assert "\n  agents/windu.yaml " in done.stdout
    assert "tokens, estimated\n" in done.stdout
    assert "promptforge build          gives the same prompts back, byte for byte" in done.stdout
    assert "promptforge explain windu  where each line comes from" in done.stdout
    assert done.stderr == "not taken over of windu: model, temperature, tools\n"


def test_file_names_fit_every_file_system(tmp_path):
    """Names that differ in case alone, or that no file can have, get files of their own."""
    made = take_over(tmp_path, {"yoda": "a", "Yoda": "b", "..": "c", "x" * 200: "d", "être": "e"}).scaffold.written
    assert [name for name in made if name.startswith("agents/")] == [
        "agents/agent-1.yaml",
        "agents/Yoda.yaml",
        "agents/agent-3.yaml",
        "agents/yoda-4.yaml",
        "agents/être.yaml",
    ]


def test_a_secret_stops_the_build_and_not_the_files(tmp_path):
    """A prompt with a password is taken over, shown as what it is, and refused by build until it is mended."""
    (tmp_path / "prompts.yaml").write_text("windu: 'You are Windu. The password is hunter2-Xy9.'\n")
    done = run(tmp_path, "init", "--from", "prompts.yaml", "house")
    assert done.returncode == 1
    assert "agents/windu.yaml:3" in done.stderr
    assert "PF512" in done.stderr
    assert "the files are written, but build refuses them until this is mended: promptforge check" in done.stderr
    assert "promptforge check          what must be mended before they can be built" in done.stdout
    assert run(tmp_path / "house", "build").returncode == 1


def test_beside_other_files(tmp_path):
    """What is in the folder already may stay, as long as the prompts come back."""
    (tmp_path / "house/knowledge").mkdir(parents=True)
    (tmp_path / "house/knowledge/a.yaml").write_text("herbs: [{name: basil}]\n")
    take_over(tmp_path, {"windu": "You are Windu."})
    assert built(tmp_path / "house")["windu"]["system"] == "You are Windu."


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(tmp_path: Path, source: str | None) -> InputError:
    if source is not None:
        (tmp_path / "agent_prompts.yaml").write_text(source)
    with pytest.raises(InputError) as caught:
        adopt(tmp_path / "agent_prompts.yaml", tmp_path / "house", today=TODAY)
    assert not (tmp_path / "house").exists()
    return caught.value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "agent_prompts.yaml cannot be read: no such file or directory"),
        ("a: [1\nb: 2\n", "agent_prompts.yaml:2: "),
        ("a: x\na: y\n", "agent_prompts.yaml:2: the key 'a' stands twice in this mapping"),
        ("", "agent_prompts.yaml:1: the file is empty"),
        ("- windu\n", "agent_prompts.yaml holds no mapping of agents to prompts"),
        ("{}\n", "agent_prompts.yaml holds no mapping of agents to prompts"),
        ("just text\n", "agent_prompts.yaml holds no mapping of agents to prompts"),
    ],
)
def test_files_that_are_no_prompts(tmp_path, source, message):
    """A file that is not there, no YAML, or no mapping is refused with its place."""
    problem = refused(tmp_path, source)
    assert message in problem.message
    assert problem.hint


def test_a_folder_is_no_file(tmp_path):
    """Naming a folder says so, and how to name a file."""
    (tmp_path / "agent_prompts.yaml").mkdir()
    problem = refused(tmp_path, None)
    assert "cannot be read: it is a folder, not a file" in problem.message
    assert problem.hint == "name a YAML file that maps each agent to its prompt: `windu: {system: …}`"


SAID = """
a b: x
list: [x]
number: 3
nothing:
no-system: {messages: []}
not-text: {system: 3}
empty: {system: ""}
no-list: {system: x, messages: x}
messages:
  system: x
  messages:
    - {role: user, content: "x\\n"}
    - {role: assistant, content: "\\nx"}
    - {role: assistant, content: x}
    - {role: assistant, content: ""}
    - {role: user, content: x, name: y}
"""


def test_prompts_that_cannot_be_kept(tmp_path):
    """Everything that would not come back byte for byte is said at once, with agent and line."""
    problem = refused(tmp_path, SAID)
    head, *lines = problem.message.splitlines()
    assert head.endswith("agent_prompts.yaml cannot be taken over byte for byte")
    assert [line.removeprefix("  agent_prompts.yaml:") for line in lines] == [
        """2: agent 'a b': a name holds no blanks and none of : / \\ * ? [ ] { } # , & ! | > ' " % @ `""",
        "3: agent 'list': it has neither a text nor a mapping with `system`",
        "4: agent 'number': it has neither a text nor a mapping with `system`",
        "5: agent 'nothing': it has neither a text nor a mapping with `system`",
        "6: agent 'no-system': `system` is missing",
        "7: agent 'not-text': `system` is not a text",
        "8: agent 'empty': `system` is empty",
        "9: agent 'no-list': `messages` is not a list",
        "13: agent 'messages': message 1 ends with a line break, which a worked example does not keep; "
        "write `content: |-`, not `content: |`",
        "14: agent 'messages': message 2 begins with a line break, which a worked example does not keep",
        "15: agent 'messages': message 3 must be the user's: a user and an assistant speak in turn",
        "16: agent 'messages': the content of message 4 is no text, or empty",
        "17: agent 'messages': message 5 must have `role` and `content`, and nothing else",
        "13: agent 'messages': the last message has no answer: messages become worked examples, which are pairs",
    ]
    assert problem.hint == "nothing was written; mend the file (or a copy of it), and try again"


@pytest.mark.parametrize("name", ["win du", "windu\n", "a/b", "a:b", "{a}"])
def test_names_that_no_agent_has(tmp_path, name):
    """A name that the schema of agents refuses is refused here, the end of a line included."""
    problem = refused(tmp_path, yaml.safe_dump({name: "x"}))
    assert f"agent {name!r}: a name holds no blanks" in problem.message


def test_examples_that_would_join_in(tmp_path):
    """Where the folder holds examples for all agents, the messages would not be the same: nothing is written."""
    (tmp_path / "house/fewshot").mkdir(parents=True)
    (tmp_path / "house/fewshot/a.yaml").write_text("examples: [{id: a, user: x, assistant: y}]\n")
    prompts = {"windu": {"system": "x", "messages": chat("q", "a")}, "yoda": "y"}
    with pytest.raises(InputError, match="would not compile the prompts of windu to the bytes of ") as caught:
        take_over(tmp_path, prompts)
    hint = "nothing was written; name an empty folder, or look at what its files add to these agents"
    assert caught.value.hint == hint
    assert [p.name for p in (tmp_path / "house").rglob("*")] == ["fewshot", "a.yaml"]


def test_files_in_the_way(tmp_path):
    """A file of the same name that differs stays, and nothing is written."""
    (tmp_path / "house/agents").mkdir(parents=True)
    (tmp_path / "house/agents/windu.yaml").write_text("name: mace\npersona: x\n")
    with pytest.raises(InputError, match=r"agents/windu\.yaml is there already"):
        take_over(tmp_path, {"windu": "You are Windu."})
    assert (tmp_path / "house/agents/windu.yaml").read_text() == "name: mace\npersona: x\n"


def test_a_project_is_not_taken_over(tmp_path):
    """A folder that is a project already is refused first."""
    take_over(tmp_path, {"windu": "x"})
    with pytest.raises(UsageError, match="is a project already"):
        take_over(tmp_path, {"yoda": "y"})
