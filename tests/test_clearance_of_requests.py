"""No private fact goes to a model in the cloud, by any path: a server that records every byte stands for the cloud.

What must not arrive is written down here by hand, in every spelling that somebody might use, and is looked for in the
bytes themselves: nothing of the code that keeps it back is believed.
"""

import json
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from click.testing import CliRunner

from backends.servers import Asked, Server, completion, response, serving
from promptforge.cli.main import promptforge
from promptforge.errors import PromptforgeError

KNOWLEDGE = """\
hosts:
  mini: {role: hub, lan_ip: 192.0.2.10}
  cellar: {role: vault, lan_ip: 192.0.2.66, tailscale_ip: 100.64.0.66, mac: 00:00:5E:00:53:6A, sensitivity: private}
ports:
  - {host: mini, port: 1337, codename: LEET, service: Council MLX}
devices:
  - {name: Mara's phone, kind: phone, mac: 00:00:5E:00:53:10}
  - {name: Zoë's tablet, kind: tablet, mac: 00-00-5E-00-53-77, ip: "2001:db8::77", sensitivity: private}
entities:
  - {entity_id: light.hall, name: Hall}
  - {entity_id: droid.night_nurse, name: Night Nurse, sensitivity: private}
people:
  - {name: Mara, role: pilot}
  - {name: Siobhán O'Malley, role: neighbour, sensitivity: private, born: 1971-05-17,
     notes: The spare key lies under the blue pot by the shed, aliases: [Barn Owl, Night Heron],
     reached: {phone: +49 30 901820, mail: omalley@example.org}}
bills:
  - {id: roof-loan, payee: Krayt Mutual, amount_eur: 1234.50, reference: 77812290, sensitivity: private}
"""
MAC_A, MAC_B = "00005e00536a", "00005e005377"
FORBIDDEN = (
    r"192[.\-_]0[.\-_]2[.\-_]66\b",
    r"100\.64\.0\.66\b",
    r"2001:0*db8:[0:]*77\b",
    r"zo[eë]'?s[ _-]?tablet",
    r"night[ _-]nurse",
    r"siobh[aá]n",
    r"o'?malley",
    r"under the blue pot",
    r"barn[ -]owl|night[ -]heron",
    r"901[ -]?820",
    r"krayt mutual",
    r"1[,. ']?234[.,]50?",
    r"7781-?2290",
    r"roof[ -]loan",
    r"1971-05-17|may 17|17 may",
)
"""What may not arrive, in any spelling; MACs are looked for by their digits alone."""
SPELLINGS = (
    "192.0.2.66",
    "192-0-2-66",
    "http://192.0.2.66:8080/",
    "66.2.0.192.in-addr.arpa",
    "::ffff:192.0.2.66",
    "192[.]0[.]2[.]66",
    "100.64.0.66/10",
    "2001:DB8::77",
    "[2001:0db8:0:0:0:0:0:77]:443",
    "00:00:5e:00:53:6a",
    "00-00-5E-00-53-77",
    "0000.5e00.5377",
    "00005E005377",
    "0:0:5E:0:53:77",
    "0000-5e00-536a",
    "zoë’s Tablet",
    "Zoe's tablet",
    "ZOËS TABLET",
    "**Zoë's**\ntablet's battery",
    "zoes_tablet",
    "Zo&euml;&#39;s tablet",
    "Zo%C3%AB%27s%20tablet",
    "droid.night_nurse",
    "states.droid.night_nurse.state",
    "Night-Nurse",
    "Siobhan O’Malley",
    "Siobhán OMalley",
    "the spare key lies under the blue pot",
    "BARN OWL",
    "Night Heron's nest",
    "+49 (30) 901-820",
    "mailto:OMalley@example.org",
    "krayt mutual",
    "1,234.50",
    "€1.234,50",
    "1234.5 EUR",
    "1 234,50 euros",
    "7781-2290",
    "reference 77812290.",
    "17 May 1971",
    "May 17th, 1971",
    "17.05.1971",
    "roof loan",
)
PUBLIC = ("192.0.2.10", "Mara's phone", "light.hall", "1337", "00:00:5E:00:53:10", "Hall", "port 6669", "12.50 EUR")
SUITE = """\
suite: lab
tools: {tools}
cases:
  - id: fine
    category: topology
    agents: [windu, yoda]
    ask: Which port does the council use?
    expect: {{all: ["1337"]}}
    judge: Names the port.
{cases}"""
WINDU = "name: windu\nmodel: cloud\npersona: {persona}\nsections: [persona, {{table: ports}}{sections}]\n"
YODA = (
    "name: yoda\nmodel: local\npersona: You are Yoda.\n"
    "sections: [persona, {table: ports}, {table: hosts}, {table: devices}, {table: people}, {table: bills}]\n"
)
SPILL = "1337, and: " + "; ".join(SPELLINGS)
"""What a local model says that keeps nothing to itself."""


def leaks(server: Server) -> list[str]:
    """What arrived that may not, in the words in which it came."""
    found = []
    for asked in server.asked:
        raw = f"{asked.path} {asked.headers} {asked.body.decode('utf-8', 'replace')}"
        for text in (raw, unquote(raw), re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), raw)):
            lowered = text.lower().replace("’", "'").replace("&#39;", "'").replace("&euml;", "ë")
            found += [match[0] for pattern in FORBIDDEN for match in re.finditer(pattern, lowered)]
            squeezed = re.sub(r"[^0-9a-z]", "", lowered)
            found += [mac for mac in (MAC_A, MAC_B, MAC_A.lstrip("0")) if mac in squeezed]
    return found


def posts(server: Server) -> list[Asked]:
    return [asked for asked in server.asked if asked.method == "POST"]


def answering(text: str) -> Callable[[Asked, socket.socket], bool]:
    """A server of all three dialects that always says the same."""

    def reply(asked: Asked, connection: socket.socket) -> bool:
        if asked.method == "GET":
            connection.sendall(response({"object": "list", "data": [{"id": "c"}]}))
        elif asked.path.endswith("/messages"):
            block = [{"type": "text", "text": text}]
            usage = {"input_tokens": 9, "output_tokens": 3}
            body = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": block, "usage": usage}
            connection.sendall(response(body | {"stop_reason": "end_turn", "stop_sequence": None}))
        else:
            connection.sendall(response(completion(text)))
        return True

    return reply


@dataclass
class Lab:
    """A project whose cloud and whose local model are servers of this test."""

    root: Path
    cloud: Server
    local: Server

    def write(self, path: str, text: str) -> None:
        """A file of the project."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def config(self, *, backend: str = "compatible", cloud: str = "", more: str = "") -> None:
        """promptforge.yaml; `cloud` adds to the cloud's entry, `more` to the file."""
        key = ", api_key: 'env:LAB_KEY'" if backend != "compatible" else ""
        entry = f"backend: {backend}, base_url: '{self.cloud.base_url}', model: c-1, tier: cloud{key}"
        self.write(
            "promptforge.yaml",
            f"name: lab\nbudget: 3000\nruntime: {{user_name: {{max_tokens: 8}}}}\nmodels:\n"
            f"  cloud: {{{entry}{cloud}}}\n"
            f"  local: {{backend: compatible, base_url: '{self.local.base_url}', model: qwen3, tier: local}}\n{more}",
        )

    def windu(self, persona: str = "You are Windu.", sections: str = "") -> None:
        """The agent in the cloud."""
        self.write("agents/windu.yaml", WINDU.format(persona=json.dumps(persona), sections=sections))

    def suite(self, *cases: str, tools: str = "[]") -> None:
        """The suite: a harmless case, and these."""
        self.write("suites/lab.yaml", SUITE.format(cases="".join(cases), tools=tools))

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code, and all that was said."""
        result = CliRunner().invoke(promptforge, list(arguments), standalone_mode=False)
        if isinstance(result.exception, PromptforgeError):
            return result.exception.exit_code, result.output + result.exception.message
        if result.exception:
            raise result.exception
        return result.return_value or 0, result.output


@contextmanager
def made(root: Path, monkeypatch: pytest.MonkeyPatch, **config: str) -> Iterator[Lab]:
    with serving(answering("Port 1337.")) as cloud, serving(answering(SPILL)) as local:
        lab = Lab(root, cloud, local)
        lab.config(**config)
        lab.write("knowledge/all.yaml", KNOWLEDGE)
        lab.write("agents/yoda.yaml", YODA)
        lab.windu()
        lab.suite()
        monkeypatch.chdir(root)
        monkeypatch.setenv("LAB_KEY", "k-1234567890")
        yield lab


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Iterator[Lab]:
    with made(tmp_path, monkeypatch) as one:
        yield one


def case(ask: str, *, id: str = "typed", agents: str = "windu", more: str = "") -> str:
    return (
        f"  - {{id: {id}, category: topology, agents: [{agents}], ask: {json.dumps(ask, ensure_ascii=False)}"
        f"{more}, expect: {{abstain: true}}}}\n"
    )


def clean(lab: Lab, *, sent: int) -> None:
    """Nothing private arrived; and so many requests did, or nothing would be shown by it."""
    assert leaks(lab.cloud) == []
    assert len(posts(lab.cloud)) == sent


# --- prompts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["compatible", "openai", "anthropic"])
def test_sections_of_every_table(tmp_path, monkeypatch, backend):
    """Private rows are left out of a cloud agent's tables; what is left is sent."""
    with made(tmp_path, monkeypatch, backend=backend) as lab:
        tables = "".join(f", {{table: {name}}}" for name in ("hosts", "devices", "entities", "people", "bills"))
        lab.windu(sections=tables)
        lab.suite(case("Whose is {{ hosts['cellar'].lan_ip }}?"), case("Is 0000.5e00.5377 ours?", id="mac"))
        code, _ = lab.run("bench", "--model", "cloud", "--agent", "windu")
        assert code == 0
        clean(lab, sent=2)
        assert b"192.0.2.10" in posts(lab.cloud)[-1].body
        code, _ = lab.run("ask", "windu", "Where is the barn owl?")
        assert code == 2
        clean(lab, sent=2)
        assert lab.run("ask", "windu", "Which port?")[0] in (0, 4)  # a stream is not what this server speaks
        assert leaks(lab.cloud) == []


@pytest.mark.parametrize(
    ("path", "text", "sections"),
    [
        ("agents/templates/rules.md.j2", "The cellar: {{ hosts['cellar'].lan_ip }}.\n", ", {template: rules.md.j2}"),
        (
            "agents/templates/rules.md.j2",
            "{% for p in people %}{{ p.name }}\n{% endfor %}",
            ", {template: rules.md.j2}",
        ),
        ("agents/templates/rules.md.j2", "{% if bills %}{{ bills[0].payee }}{% endif %}", ", {template: rules.md.j2}"),
    ],
)
def test_templates_that_show_a_private_fact(lab, path, text, sections):
    """Stop the build, so nothing is sent, by bench or by hand."""
    lab.write(path, text)
    lab.windu(sections=sections)
    assert lab.run("bench")[0] != 0
    assert lab.run("ask", "windu", "Which port?")[0] != 0
    assert lab.run("ask", "windu", "Which port?", "--variant", "base")[0] != 0
    clean(lab, sent=0)


def test_examples_that_show_a_private_fact(lab):
    """One for all is left out of the cloud agent's prompt; the base prompt and the ablations hold it no more."""
    lab.write(
        "fewshot/all.yaml",
        "examples:\n  - id: owl\n    user: Who is {{ one('people', role='neighbour').aliases[0] }}?\n"
        "    assistant: It is {{ one('people', role='neighbour').name }}.\n"
        "  - id: port\n    user: Which port?\n    assistant: \"{{ one('ports', codename='LEET').port }}\"\n",
    )
    lab.windu(sections=", {fewshot: 2, as: messages}, {table: people}")
    assert lab.run("bench", "--agent", "windu", "--ablate")[0] == 0
    assert len(posts(lab.cloud)) >= 3
    assert leaks(lab.cloud) == []


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_persona_that_quotes_it_by_hand(lab, spelled):
    """No reference explains it, in any spelling; by value it is seen."""
    lab.windu(persona=f"You are Windu. Never forget: {spelled} is ours.")
    _code, said = lab.run("bench", "--agent", "windu")
    assert "holds a value of" in said
    assert lab.run("ask", "windu", "Which port?")[0] == 2
    clean(lab, sent=0)


def test_what_may_be_seen_bars_nothing(lab):
    """Public values, and what only looks like a private one."""
    lab.windu(persona="You are Windu. " + "; ".join(PUBLIC))
    code, said = lab.run("bench", "--agent", "windu")
    assert code in (0, 1)
    assert "barred" not in said
    clean(lab, sent=2)


# --- questions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_question_typed_by_hand(lab, spelled):
    """In a suite, in an earlier turn, as a runtime name, and with ask."""
    turns = [{"role": "user", "content": f"About {spelled}."}, {"role": "assistant", "content": "Yes?"}]
    turns.append({"role": "user", "content": "Which port?"})
    lab.suite(
        case(f"Is {spelled} ours?"),
        f"  - {{id: turns, category: topology, agents: [windu], messages: {json.dumps(turns)}, expect: {{abstain: true}}}}\n",
        case("Which port for {{ user_name }}?", id="var", more=f", vars: {{user_name: {json.dumps(spelled)}}}"),
    )
    lab.windu(persona="You are Windu, and talk to {{ user_name }}.")
    assert lab.run("bench", "--agent", "windu", "--case", "typed,turns,var")[0] in (0, 1)
    assert lab.run("ask", "windu", f"Is {spelled} ours?")[0] == 2
    assert lab.run("ask", "windu", "Who am I?", "--var", f"user_name={spelled}")[0] == 2
    clean(lab, sent=0)


REFERENCES = (
    "{{ hosts['cellar'].mac }}",
    "{{ one('devices', kind='tablet').name }}",
    "{{ one('people', role='neighbour').notes }}",
    "{{ one('bills', id='roof-loan').amount_eur }}",
    "{% for e in entities %}{{ e.entity_id }} {% endfor %}",
    "{{ one('people', role='neighbour').aliases }}",
)


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_question_by_reference(lab, reference):
    """By fact it is seen, whatever it prints; also for an agent that is at home elsewhere."""
    lab.suite(case(f"What is {reference}?", agents="windu, yoda"))
    _code, said = lab.run("bench", "--model", "cloud", "--case", "typed")
    assert "may see internal facts" in said
    clean(lab, sent=0)


def test_expectations_stay_at_home(lab):
    """What a right answer must say is never sent to the model that is asked."""
    lab.suite(
        "  - id: secret\n    category: topology\n    agents: [windu]\n    ask: What do you know of the neighbour?\n"
        "    expect: {none: [\"{{ one('people', role='neighbour').name }}\", 0000.5e00.5377]}\n"
        "    judge: Does not say that the spare key lies under the blue pot by the shed.\n",
    )
    lab.config(more="judge: cloud\n")
    assert lab.run("bench", "--agent", "windu", "--case", "secret")[0] in (0, 1)
    clean(lab, sent=2)


def test_tools_and_parameters(lab):
    """They are sent, too."""
    lab.suite(tools='[{name: call, description: "Calls Siobhan O\'Malley at home."}]')
    lab.run("bench", "--agent", "windu")
    lab.suite(tools="[{name: call, parameters: {type: object, properties: {to: {enum: [00-00-5e-00-53-6a]}}}}]")
    lab.run("bench", "--agent", "windu")
    lab.suite()
    lab.config(cloud=", params: {stop: [Barn Owl]}")
    lab.run("bench", "--agent", "windu")
    lab.run("ask", "windu", "Which port?")
    lab.config(cloud=", params: {metadata: {who: {name: Zoë's tablet}}}")
    lab.run("bench", "--agent", "windu")
    clean(lab, sent=0)


def test_far_back_in_a_long_text(lab):
    """No text is too long to be looked through."""
    lab.config(more="reserve: 10\n")
    lab.suite(case("word " * 60_000 + "00:00:5e:00:53:77"))
    lab.run("bench", "--agent", "windu", "--case", "typed")
    clean(lab, sent=0)


# --- models -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["compatible", "openai", "anthropic"])
def test_an_agent_of_the_house_asked_in_the_cloud(tmp_path, monkeypatch, backend):
    """It is compiled for that model: the private rows are gone."""
    with made(tmp_path, monkeypatch, backend=backend) as lab:
        assert lab.run("bench", "--model", "cloud", "--agent", "yoda", "--ablate")[0] in (0, 1)
        assert len(posts(lab.cloud)) > 2
        assert leaks(lab.cloud) == []
        assert b"Mara's phone" in posts(lab.cloud)[-1].body + posts(lab.cloud)[1].body
        count = len(posts(lab.cloud))
        assert lab.run("ask", "yoda", "Who has a tablet?", "--model", "cloud")[0] in (0, 4)
        assert len(posts(lab.cloud)) > count
        assert leaks(lab.cloud) == []


def test_an_agent_that_is_local_by_privacy(lab):
    """Nothing of it goes to the cloud: not asked there, not by hand, not judged there."""
    lab.write("agents/yoda.yaml", YODA.replace("model: local", "model: local\nprivacy: local"))
    lab.config(more="judge: cloud\n")
    _code, said = lab.run("bench", "--agent", "yoda", "--model", "cloud")
    assert "agent 'yoda' is local by privacy, and cloud is in the cloud" in said
    assert lab.run("ask", "yoda", "Which port?", "--model", "cloud")[0] == 2
    _code, said = lab.run("bench", "--agent", "yoda", "--without", "ports")
    assert "agent 'yoda' is local by privacy, and cloud is in the cloud" in said
    clean(lab, sent=0)


# --- the judge --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        *SPELLINGS,
        "It is behind the blue pot by the shed.",
        "Ask Siobhán.",
        "The O’Malleys? OMalley.",
        "Krayt's, I think.",
    ],
)
def test_an_answer_that_gives_it_away_is_not_judged_in_the_cloud(tmp_path, monkeypatch, said):
    """A model that was told may say it in any spelling, in part, and by a single word."""
    numbers = iter(range(100))

    def reply(asked: Asked, connection: socket.socket) -> bool:
        return answering(f"{said} I say it {next(numbers)} times.")(asked, connection)

    with made(tmp_path, monkeypatch) as lab, serving(reply) as talking:
        lab.local = talking
        lab.config(more="judge: cloud\n")
        _code, words = lab.run("bench", "--agent", "yoda", "--repeats", "2")
        assert "2 × an answer holds a value of" in words
        clean(lab, sent=0)


def test_answers_are_judged_where_they_give_nothing_away(tmp_path, monkeypatch):
    """Or the tests above would show nothing."""
    said = iter(["No idea.", "Port 1337 on the mini.", "I do not know.", "1337."])

    def reply(asked: Asked, connection: socket.socket) -> bool:
        return answering("" if asked.method == "GET" else next(said))(asked, connection)

    with made(tmp_path, monkeypatch) as lab, serving(reply) as talking:
        lab.local = talking
        lab.config(more="judge: cloud\n")
        lab.run("bench", "--agent", "yoda", "--case", "fine")
        clean(lab, sent=2)
        assert b"Port 1337 on the mini." in posts(lab.cloud)[0].body


@pytest.mark.parametrize(
    ("rubric", "ask"),
    [
        ("Names {{ one('people', role='neighbour').name }}.", "Who lives next door?"),
        ("Names Siobhan O’Malley.", "Who lives next door?"),
        ("Is polite.", "Who is siobhan omalley?"),
        ("Is polite.", "Who is {{ one('people', role='neighbour').name }}?"),
    ],
)
def test_a_rubric_or_a_question_that_shows_it(tmp_path, monkeypatch, rubric, ask):
    """Neither goes to a judge in the cloud, though both are fine at home."""
    said = iter(["No idea.", "A neighbour.", "Nobody.", "Somebody."])

    def reply(asked: Asked, connection: socket.socket) -> bool:
        return answering("" if asked.method == "GET" else next(said))(asked, connection)

    with made(tmp_path, monkeypatch) as lab, serving(reply) as talking:
        lab.local = talking
        lab.config(more="judge: cloud\n")
        lab.suite(case(ask, agents="yoda", more=f", judge: {json.dumps(rubric, ensure_ascii=False)}"))
        lab.run("bench", "--case", "typed")
        assert len(posts(talking)) == 2
        clean(lab, sent=0)


# --- revisions --------------------------------------------------------------------------------------------------------

_GIT = {
    "GIT_AUTHOR_NAME": "Mara",
    "GIT_AUTHOR_EMAIL": "mara@example.org",
    "GIT_COMMITTER_NAME": "Mara",
    "GIT_COMMITTER_EMAIL": "mara@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


@pytest.fixture
def commit(lab, monkeypatch) -> Callable[[], None]:
    """Make what there is a commit."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name, value in _GIT.items():
        monkeypatch.setenv(name, value)

    def run() -> None:
        for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "one"]):
            subprocess.run(["git", *words], cwd=lab.root, check=True, capture_output=True)

    return run


def test_what_was_public_in_an_older_revision(lab, commit):
    """Today's word counts: what is private now does not go out with yesterday's prompts."""
    tables = ", {table: hosts}, {table: devices}, {table: people}, {table: bills}, {table: entities}"
    lab.write("knowledge/all.yaml", KNOWLEDGE.replace(", sensitivity: private", ""))
    lab.windu(sections=tables)
    commit()
    lab.write("knowledge/all.yaml", KNOWLEDGE)
    _code, said = lab.run("bench", "--agent", "windu", "--against", "HEAD")
    assert "which is private" in said or "it holds a value of" in said
    assert leaks(lab.cloud) == []


def test_what_was_public_and_is_gone_or_renamed(lab, commit):
    """A fact may have another key today, and be private; its old prompt holds the same MAC."""
    public = KNOWLEDGE.replace(", sensitivity: private", "")
    lab.write("knowledge/all.yaml", public)
    lab.windu(sections=", {table: devices}")
    commit()
    lab.write("knowledge/all.yaml", KNOWLEDGE.replace("Zoë's tablet", "Zoë's old tablet"))
    lab.run("bench", "--agent", "windu", "--against", "HEAD")
    assert MAC_B not in "".join(re.sub(r"[^0-9a-z]", "", a.body.decode().lower()) for a in posts(lab.cloud))


def test_what_was_private_and_is_gone(lab, commit):
    """It stays private: its old prompt is for a local model, the one of today is sent."""
    lab.windu(persona="You are Windu, guard of 192.0.2.66.")
    lab.suite()
    commit()
    lab.windu()
    lab.write("knowledge/all.yaml", "\n".join(line for line in KNOWLEDGE.split("\n") if "cellar" not in line))
    lab.run("bench", "--agent", "windu", "--against", "HEAD")
    clean(lab, sent=1)


def test_a_model_that_was_called_local(lab, commit):
    """Where it answers from today is what counts."""
    lab.config()
    text = (lab.root / "promptforge.yaml").read_text()
    lab.write("promptforge.yaml", text.replace("tier: cloud", "tier: local"))
    lab.windu(sections=", {table: hosts}, {table: bills}")
    commit()
    lab.write("promptforge.yaml", text)
    lab.run("bench", "--agent", "windu", "--against", "HEAD")
    assert leaks(lab.cloud) == []


def test_an_agent_that_is_private_today(lab, commit):
    """Its older prompt does not go to the cloud either."""
    lab.write("agents/yoda.yaml", YODA.replace("model: local", "model: cloud"))
    commit()
    lab.write("agents/yoda.yaml", YODA.replace("model: local", "model: local\nprivacy: local"))
    lab.run("bench", "--agent", "yoda", "--against", "HEAD")
    clean(lab, sent=0)


def test_a_clearance_that_is_lower_today(lab, commit):
    """What the cloud might see last month it may not see now."""
    lab.windu(sections=", {table: hosts}, {table: people}")
    lab.config(more="clearance: {cloud: private}\n")
    commit()
    lab.config()
    lab.run("bench", "--agent", "windu", "--against", "HEAD")
    assert leaks(lab.cloud) == []


# --- the last door ----------------------------------------------------------------------------------------------------


def test_what_a_plan_lets_through_ends_at_the_door(lab, monkeypatch):
    """Were the planner blind, the request would still not be sent; it is unanswered, and never a 0."""
    from promptforge.workbench.arms import Planner

    class Blind:
        def __init__(self, clearance: Any) -> None:
            self.clearance = clearance

        def __getattr__(self, name: str) -> Any:
            return (lambda *_, **__: "") if name.startswith("barred") else getattr(self.clearance, name)

    plan_jobs = Planner.jobs

    def jobs(self: Planner, *rest: Any) -> Any:
        self.clearance = Blind(self.clearance)
        return plan_jobs(self, *rest)

    monkeypatch.setattr(Planner, "jobs", jobs)
    lab.windu(persona="You are Windu. 0000.5e00.5377 is ours.")
    code, said = lab.run("bench", "--agent", "windu")
    assert code == 4
    assert "nothing was sent: it holds a value of devices/Zoë's tablet" in said
    clean(lab, sent=0)
