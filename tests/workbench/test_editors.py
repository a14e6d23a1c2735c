"""The schemas that a build makes for editors: the names of the house, in a folder that is ours, and nowhere else."""

import json
import subprocess
import sys

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from promptforge.workbench import editors
from promptforge.workbench.scaffold import scaffold


def run(root, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "promptforge", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def house(tmp_path):
    """A new project, built once."""
    scaffold(tmp_path / "house")
    run(tmp_path / "house", "build")
    return tmp_path / "house"


def schema(root, kind="knowledge"):
    return json.loads((root / f"schemas/{kind}.schema.json").read_text())


def offered(root, table, column):
    """What is completed in a column."""
    about = schema(root)["definitions"][table]["properties"][column]
    return about.get("anyOf", [{}])[0].get("enum")


def edit(root, old, new, file="knowledge/house.yaml"):
    path = root / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))


def stamps(root):
    return {path.name: path.stat().st_mtime_ns for path in (root / "schemas").iterdir()}


def test_the_names_of_the_house_are_in_them(house):
    """Hosts and owners by the facts; models, tables, columns and agents where they are named."""
    assert offered(house, "ports", "host") == ["attic", "hub"]
    assert offered(house, "devices", "owner") == ["Emil", "Nora"]
    agent = schema(house, "agent")["properties"]
    assert agent["model"]["anyOf"][0]["enum"] == ["opus", "qwen-14b", "reader"]
    section = next(o for o in agent["sections"]["items"]["anyOf"] if "table" in o.get("properties", {}))["properties"]
    assert section["table"]["anyOf"][0]["enum"] == ["devices", "entities", "hosts", "ports"]
    assert "lan_ip" in section["columns"]["items"]["anyOf"][0]["enum"]
    case = schema(house, "suite")["properties"]["cases"]["items"]["properties"]
    assert case["agents"]["anyOf"][0]["anyOf"][0]["enum"] == ["keeper", "steward"]
    example = schema(house, "fewshot")["properties"]["examples"]["items"]["properties"]
    assert example["tags"]["anyOf"][0]["anyOf"][0]["enum"] == ["rooms"]


def test_every_file_of_the_project_is_valid_by_them(house):
    """So is one with an unknown host: that it is unknown check says, and the editor not a second time."""
    edit(house, "host: attic, port: 445", "host: nowhere, port: 445")
    kinds = {"knowledge": "knowledge", "agents": "agent", "fewshot": "fewshot", "suites": "suite"}
    for folder, kind in kinds.items():
        made = schema(house, kind)
        Draft7Validator.check_schema(made)
        for path in (house / folder).glob("*.yaml"):
            assert [p.message for p in Draft7Validator(made).iter_errors(YAML(typ="safe").load(path))] == []


def test_an_edit_brings_its_names_and_nothing_else_is_written(house):
    """A new host is there after the next build, be it of the facts alone; a changed value writes no schema."""
    before = stamps(house)
    edit(house, "port: 8123", "port: 8124")
    run(house, "build")
    assert stamps(house) == before
    edit(house, "hosts:\n", "hosts:\n  den: {role: reads}\n")
    assert '"incremental"' not in run(house, "build", "--format", "json")
    assert offered(house, "ports", "host") == ["attic", "den", "hub"]
    after = stamps(house)
    assert {name for name, stamp in after.items() if stamp != before[name]} == {"knowledge.schema.json"}
    edit(house, "host: attic, port: 445", "host: den, port: 445")
    edit(house, "owner: Nora", "owner: Juno")
    run(house, "build")
    assert offered(house, "devices", "owner") == ["Emil", "Juno"]
    assert run(house, "build")
    assert {name for name, stamp in stamps(house).items() if stamp != after[name]} == {"knowledge.schema.json"}


def test_a_table_of_the_houses_own_and_its_references(house):
    """Its columns are completed, and where its schema says that one names a host, the hosts are."""
    (house / "knowledge/schemas").mkdir()
    own = {"type": "object", "properties": {"host": {"type": "string", "x-ref": "hosts"}}, "x-key": ["name"]}
    (house / "knowledge/schemas/owls.schema.json").write_text(json.dumps(own))
    rows = ", ".join(f"{{name: o{n}, host: hub, mood: {'grumpy' if n % 2 else 'sleepy'}}}" for n in range(6))
    (house / "knowledge/owls.yaml").write_text(f"owls: [{rows}]\n")
    run(house, "build")
    assert offered(house, "owls", "host") == ["attic", "hub"]
    assert offered(house, "owls", "mood") == ["grumpy", "sleepy"]
    assert offered(house, "owls", "name") is None


def test_the_repository_holds_none_of_it(house):
    """The folder ignores itself, in git and for others: names of people are in it."""
    subprocess.run(["git", "init", "-q"], cwd=house, check=True)
    told = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=house, capture_output=True, text=True, check=True
    ).stdout
    assert "schemas" not in told
    assert "agents/keeper.yaml" in told
    assert (house / "schemas/knowledge.schema.json").stat().st_mode & 0o077 == 0


def test_they_come_back(house):
    """After a clone, and when somebody deleted the folder: the next build makes them, although nothing else changed."""
    for path in (house / "schemas").iterdir():
        path.unlink()
    (house / "schemas").rmdir()
    run(house, "build")
    assert offered(house, "ports", "host") == ["attic", "hub"]


def test_a_folder_of_somebodys_own_stays(house):
    """Without our line in its .gitignore nothing in it is touched; nor is a folder made where no file asks for one."""
    (house / "schemas/.gitignore").unlink()
    (house / "schemas/knowledge.schema.json").write_text("{}")
    edit(house, "hosts:\n", "hosts:\n  den: {role: reads}\n")
    run(house, "build")
    assert (house / "schemas/knowledge.schema.json").read_text() == "{}"
    for path in (house / "schemas").iterdir():
        path.unlink()
    (house / "schemas").rmdir()
    for path in house.rglob("*.yaml"):
        if "build" not in path.parts:
            path.write_text(path.read_text().partition("\n")[2])
    run(house, "build")
    run(house, "build")
    assert not (house / "schemas").exists()


def test_a_link_in_its_place_is_not_followed_into_another_folder(house, tmp_path):
    """A folder elsewhere that is not ours is not written to, and a disk that refuses fails no build."""
    for path in (house / "schemas").iterdir():
        path.unlink()
    (house / "schemas").rmdir()
    (tmp_path / "other").mkdir()
    (house / "schemas").symlink_to(tmp_path / "other")
    run(house, "build")
    assert list((tmp_path / "other").iterdir()) == []


def test_many_names_are_bounded(monkeypatch, house):
    """An editor is given so many of a kind; a text that is longer than a name is none."""
    monkeypatch.setattr(editors, "_MOST", 3)
    made = editors._known({"type": "string"}, [*(f"h{n}" for n in range(9)), "x" * 81, ""])
    assert made["anyOf"] == [{"enum": ["h0", "h1", "h2"]}, {"type": "string"}]
    assert editors._known({"type": "string"}, []) == {"type": "string"}
