"""`promptforge redact`: a copy of a project, and any text, with nothing of the original left."""

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.redaction import household

from promptforge.compiler.load import read_project
from promptforge.files import TEMPORARY
from promptforge.model import written
from promptforge.workbench.check import Checked, check
from promptforge.workbench.redact import MARK

ROOT = Path(__file__).parents[2]
TODAY = datetime.date(2026, 11, 22)
INPUTS = ("promptforge.yaml", "agents", "fewshot", "knowledge", "suites", "training")
DOCUMENTATION = re.compile(
    r"(?:192\.0\.2|198\.51\.100|203\.0\.113|198\.1[89]\.\d+|100\.\d+\.\d+|127\.0\.0|0\.0\.0)\.\d+"
)


@pytest.fixture
def house(house):
    """The household instead of the hut: it has a trap of every kind."""
    shutil.rmtree(house.root)
    household.make(house.root)
    return house


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where the copy goes."""
    return tmp_path / "public"


NUMBERS = (
    *(("hosts", column) for column in ("lan_ip", "tailscale_ip", "mac", "ipv6", "public_ip", "dns")),
    *(("devices", "mac"), ("devices", "ip"), ("sites", "subnet")),
)
NAMES = (
    *((table, "name") for table in ("hosts", "sites", "people", "devices", "entities")),
    *(("entities", "entity_id"), ("ports", "codename"), ("ssh", "alias"), ("hosts", "ssh")),
)


def all_of(folder: Path) -> dict[str, str]:
    """Every file by its path."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in found}


def judged(root: Path) -> Checked:
    """What check says of a project."""
    return check(read_project(root), today=TODAY)


# ---- The example house -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def manor(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The example house and its copy."""
    folder = tmp_path_factory.mktemp("manor")
    for name in INPUTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / "house" / name) if (folder / "house").exists() else (
            (folder / "house").mkdir(),
            copy(ROOT / name, folder / "house" / name),
        )
    (folder / "key").write_bytes(b"a key of thirty-two bytes or so.")  # its MACs are too many to keep all near twins so
    command = [sys.executable, "-m", "promptforge", "redact", "../public", "--key", "../key"]
    subprocess.run(command, cwd=folder / "house", check=True, capture_output=True)
    return folder / "house", folder / "public"


def test_nothing_of_the_example_house_is_left(manor):
    """Every address, MAC, host, site, person, device, entity and codename, looked for in every file of the copy."""
    house, public = manor
    tables = judged(house).build.project.tables
    numbers, names = (
        {written(fact.values[c]).lower() for t, c in columns for fact in tables[t].facts if fact.values.get(c)}
        for columns in (NUMBERS, NAMES)
    )
    text = "\n".join([*all_of(public), *all_of(public).values()]).lower()
    assert len(numbers) > 100
    assert len(names) > 200
    assert not [one for one in numbers if re.search(rf"(?<![\w.:-]){re.escape(one)}(?![\w:]|\.\d)", text)]
    left = {one for one in names if re.search(rf"(?<![^\W_]){re.escape(one)}(?![^\W_])", text)}
    assert left <= {"gate"}  # a setting of promptforge.yaml is called so
    assert re.findall(r"\bgate\b.{0,6}", text) == ["gate: {min"]


def test_the_copy_of_the_example_house_checks_as_it_does(manor):
    """The same facts, examples and codes; every `where` selects as many facts; every address is one of nobody's."""
    before, after = (judged(folder) for folder in manor)
    assert Counter(d.code for d in before.diagnostics) == Counter(d.code for d in after.diagnostics)
    old, new = before.build, after.build
    assert [len(t.facts) for t in old.project.tables.values()] == [len(t.facts) for t in new.project.tables.values()]
    assert len(old.project.examples) == len(new.project.examples)
    for name, entry in old.artifact.entries.items():
        was, now = entry.enriched, new.artifact.entries[name].enriched
        assert was.filtered == now.filtered
        assert now.tokens < 1.25 * was.tokens
    for text in all_of(manor[1]).values():
        for address in re.findall(r"(?<![\w.])\d+\.\d+\.\d+\.\d+(?![\w.])", text):
            assert DOCUMENTATION.fullmatch(address), address
        for mac in re.findall(r"\b(?:[0-9A-F]{2}:){5}[0-9A-F]{2}\b", text):
            assert mac.startswith("00:00:5E:00:5")


def test_the_layout_of_the_example_house_stays(manor):
    """Line for line: the same indents, keys, brackets and comments."""

    def skeleton(line: str) -> str:
        return re.sub(r"[^\s{}\[\]:,#-]+", "x", re.sub(r"[\"'`].*|#.*", "", line)).split("x")[0]

    house, public = manor
    for path in ("knowledge/topology.yaml", "knowledge/ports.yaml", "promptforge.yaml", "suites/carmack-v2.yaml"):
        old, new = ((folder / path).read_text(encoding="utf-8").split("\n") for folder in (house, public))
        assert [skeleton(line) for line in old] == [skeleton(line) for line in new]
        assert sum("#" in line for line in old) == sum("#" in line for line in new)


# ---- A copy ----------------------------------------------------------------------------------------------------------


def test_a_copy_has_nothing_of_the_house_and_checks(house, pf, target):
    """Traps of every kind: escapes, spellings, file names, words of the format, references behind dots."""
    done = pf("redact", str(target))
    assert done.code == 0
    text = "\n".join([*all_of(target), *all_of(target).values()]).lower()
    assert not [one for one in household.NOTHING_OF if one in text]
    assert judged(target).diagnostics == ()
    assert "gpt-4o-mini" in text
    assert "home assistant" in text
    assert (target / MARK).read_text().startswith("# A redacted copy\n")
    assert "renamed: agents/mini.yaml to agents/host" in done.out
    assert "names that are words of the format, replaced only as names: gate, local, port\n" in done.out
    assert "names that could be anything, replaced only in their columns: 1337\n" in done.out
    assert "read the copy before you publish it" in done.out


def test_the_same_house_gives_the_same_copy_twice(house, pf, target):
    """The key is made once, for its owner alone; another key gives another copy."""
    assert "the key is in .promptforge/redact.key" in pf("redact", str(target)).out
    first = all_of(target)
    key = house / ".promptforge/redact.key"
    assert key.stat().st_mode & 0o777 == 0o600
    again = pf("redact", str(target))
    assert "the key is in" not in again.out
    assert all_of(target) == first
    assert pf("redact", str(target), "--key", "other.key").code == 0
    assert all_of(target) != first
    shutil.copytree(house.root, house.root.parent / "clone")
    pf("redact", str(target), cwd=house.root.parent / "clone")
    assert all_of(target) == first


def test_what_is_not_in_the_copy_is_said(house, pf, target):
    """Keys, history, builds and what is no text."""
    (house / "knowledge/plan.png").write_bytes(b"\x89PNG\0\0")
    (house / "training/old.txt").write_bytes(b"caf\xe9")
    house.write("build/agent_prompts.yaml", "{}\n")
    house.write("README.md", "Odette's")
    house.write("agents/.hidden.yaml", "x")
    done = pf("redact", str(target))
    assert (
        "left out: knowledge/plan.png (it is no text in UTF-8), training/old.txt (it is no text in UTF-8)\n" in done.out
    )
    assert "not part of the project, so not in the copy: .promptforge/, README.md, build/\n" in done.out
    assert sorted(all_of(target)) == sorted(
        [MARK, *(re.sub(r"\bmini\b", "host", path) for path in household.FILES)]
    ) or not any("png" in path or "hidden" in path for path in all_of(target))


def test_what_cannot_be_read_is_left_out_and_said(house, pf, target):
    """A link to nowhere, a pipe: its neighbours are in the copy."""
    (house / "fewshot/y.yaml").symlink_to("gone")
    os.mkfifo(house / "fewshot/z.yaml")
    said = "left out: fewshot/y.yaml (no such file or directory), fewshot/z.yaml (it is not a regular file)\n"
    assert said in pf("redact", str(target)).out
    assert (target / "fewshot/x.yaml").exists()


def test_a_copy_that_cannot_be_written(house, pf):
    """What stands in the way is said, and no trace is left."""
    before = house.files()
    (house.root.parent / "file").write_text("x")
    done = pf("redact", "../file/copy", "--key", "../a.key")
    assert done.code == 2
    assert "cannot write" in done.err
    assert "  hint: nothing was written; mend the permissions or free some space" in done.err
    assert house.files() == before


def test_an_api_key_in_the_settings_is_taken_out(house, pf, target):
    """Wherever it stands, and also where the settings are no YAML."""
    house.edit("promptforge.yaml", ('"env:KEY"}', "hunter2-hunter2} # not hunter2-hunter2"))
    pf("redact", str(target))
    made = (target / "promptforge.yaml").read_text()
    assert made.endswith("api_key: env:REMOVED} # not <removed>\n")
    house.edit("promptforge.yaml", ("hunter2-hunter2}", "hunter2-hunter2"))
    pf("redact", str(target))
    made = (target / "promptforge.yaml").read_text()
    assert made.endswith("api_key: <removed> # not <removed>\n")


def test_a_broken_project_can_be_shown(house, pf, target):
    """Bug reports are about such: facts that can be read are, and of the others all that may name is replaced."""
    house.write("knowledge/more.yaml", "devices:\n  - {name: Lina's watch}\n  - {name: nook}\n")
    assert pf("build").code == 0
    house.write("knowledge/more.yaml", "devices:\n  - {name: Lina's watch, owner: [Odette\n  - {name: nook}\n")
    done = pf("redact", str(target))
    assert "read as plain text, for they are no YAML: knowledge/more.yaml\n" in done.out
    assert re.fullmatch(
        r"devices:\n  - \{name: Device\d+, owner: \[Person\d+\n  - \{name: device\d+\}\n",
        (target / "knowledge/more.yaml").read_text(),
    )


SLIPS = (
    "  - {broken\n",
    "hosts:\n  other: {}\n",
    "  - {entity_id: light.x, name: [\n  - {entity_id: light.y}\n",
)


@pytest.mark.parametrize("slip", SLIPS)
def test_the_names_of_a_broken_file_are_replaced_elsewhere(house, pf, target, slip):
    """Only the broken file knows them. Where a part of it cannot be read, the last commit or build must know it, too."""
    text = (house / "knowledge/house.yaml").read_text()
    cut = text.index("wifi:")
    broken = text + slip if "broken" in slip else text[:cut] + slip + text[cut:]
    house.write("knowledge/house.yaml", broken)
    done = pf("redact", str(target))
    assert done.code == 1
    assert re.match(r"error: knowledge/house\.yaml:\d+: .*, and what cannot be read there may be names", done.err)
    assert "  hint: nothing was written; mend that line (promptforge check), or delete it and redact again" in done.err
    assert pf("redact", "--text", "promptforge.yaml").code == 1
    assert not target.exists()
    house.write("knowledge/house.yaml", text)
    assert pf("build").code == 0
    house.write("knowledge/house.yaml", broken)
    done = pf("redact", str(target))
    assert (done.code, done.err) == (0, "")
    copy = "\n".join([*all_of(target), *all_of(target).values()]).lower()
    assert not [one for one in household.NOTHING_OF if one in copy]
    house.write("error.txt", "mini and Odette and Jörg")
    assert re.fullmatch(r"host\d+ and Person\d+ and Person\d+", pf("redact", "--text", "error.txt").out)


def test_the_last_commit_knows_the_names_of_a_file_that_was_cut_off(house, pf, target, environ):
    """What is no longer in the file is still in the agents."""
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", *command], cwd=house.root, check=True, env=environ)
    text = (house / "knowledge/house.yaml").read_text()
    house.write("knowledge/house.yaml", text[: text.index("people:") - 20])
    assert pf("redact", str(target)).code == 0
    copy = "\n".join([*all_of(target), *all_of(target).values()]).lower()
    assert not [one for one in household.NOTHING_OF if one in copy]


def test_knowledge_that_cannot_be_read_hides_names(house, pf, target):
    """It would not be in the copy, but what it names is in other files."""
    (house / "knowledge/house.yaml").unlink()
    (house / "knowledge/house.yaml").symlink_to("gone")
    done = pf("redact", str(target))
    assert done.code == 1
    said = "knowledge/house.yaml cannot be read (no such file or directory), so nobody knows which names are in it\n"
    assert done.err == f"error: {said}  hint: nothing was written; mend it, or move it out of the project\n"


def test_what_only_an_acceptance_of_drift_names(house, pf, target):
    """What is in no table on purpose stands in `ignore`, and in comments."""
    ignore = "ignore: {drift: [devices/guest-pad, 'devices/Attic*', ports/shed:9100, light.nook, entities/light.den]}\n"
    house.write("promptforge.yaml", (house / "promptforge.yaml").read_text() + ignore)
    house.edit(
        "knowledge/house.yaml", ("the mini, 3c22", "promptforge: allow drift name=cellar lan_ip=192.168.9.9 3c22")
    )
    house.write("training/log.txt", "guest pad, Attic TV, shed, light.den, cellar and 192.168.9.9")
    assert pf("redact", str(target)).code == 0
    copy = "\n".join(all_of(target).values()).lower()
    assert not re.findall(r"guest.?pad|attic|shed|\bden\b|cellar|192\.168\.9\.9", copy)
    assert re.search(r"allow drift name=device\d+ lan_ip=[\d.]+ ", copy)


def test_further_columns_and_words(house, pf, target):
    """What only the person knows to be a name."""
    house.write("knowledge/more.yaml", "bills:\n  - {id: water, payee: Brook & Sons, covers: the Lighthouse}\n")
    assert "bills.covers" in pf("redact", str(target), "--dry-run").out
    done = pf("redact", str(target), "--also", "bills.payee", "--word", "Lighthouse")
    assert "bills.payee" not in done.out
    made = (target / "knowledge/more.yaml").read_text()
    assert re.fullmatch(r"bills:\n  - \{id: water, payee: Name\d+, covers: the Name\d+\}\n", made)
    done = pf("redact", str(target), "--also", "bills.payer")
    assert done.code == 2
    assert done.err.startswith("error: --also 'bills.payer': no table has such a column\n  hint: columns that could be")


def test_what_is_no_name_and_no_column(house, pf, target):
    """Said with what could be done."""
    done = pf("redact", str(target), "--word", "")
    assert (
        done.err
        == "error: --word '' is no name: it has no letter and no digit\n  hint: write the name itself: --word Lighthouse\n"
    )
    done = pf("redact", str(target), "--also", "nosuch")
    assert done.err == (
        "error: --also 'nosuch': no table has such a column\n"
        "  hint: no table has a column of your own with texts; a word that no table has: --word WORD\n"
    )
    assert not (house / ".promptforge").exists()


def test_dry_run_writes_nothing(house, pf, target):
    """Not even a key."""
    before = house.files()
    done = pf("redact", str(target), "--dry-run")
    assert done.out.startswith(f"would write {target}: 6 files, 6 of them changed\n")
    assert not target.exists()
    assert house.files() == before


def test_json(house, pf, target):
    """The same for programs."""
    made = json.loads(pf("redact", str(target), "--format", "json").out)
    assert made["version"] == 1
    assert made["written"] is True
    assert made["replaced"]["macs"] == 5
    assert made["new_key"] == ".promptforge/redact.key"
    assert made["words_of_the_format"] == ["gate", "local", "port"]
    assert set(made["files"]) == set(all_of(target)) - {MARK}


# ---- Where it goes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (".", "the project is in it"),
        ("..", "the project is in it"),
        (
            "knowledge/public",
            "is inside the project, and its repository\n  hint: nothing was written; lay it beside the",
        ),
        ("sub", "promptforge redact ../sub\n"),
        ("../file", "is there, and is no folder"),
        ("../theirs", "is there, and is no copy of ours"),
    ],
)
def test_nothing_of_anybody_is_written_over(house, pf, place, said):
    """Only an empty folder and an earlier copy are."""
    (house.root.parent / "theirs").mkdir()
    (house.root.parent / "theirs/mine.txt").write_text("mine")
    (house.root.parent / "file").write_text("mine")
    before = house.files()
    done = pf("redact", place)
    assert done.code == 2
    assert said in done.err
    assert house.files() == before
    assert (house.root.parent / "theirs/mine.txt").read_text() == "mine"


def test_an_empty_folder_and_an_earlier_copy_are_replaced(house, pf, target):
    """What is no longer in the project is no longer in the copy; what the person laid beside it stays."""
    target.mkdir()
    assert pf("redact", str(target)).code == 0
    (target / ".git").mkdir()
    (target / ".git/HEAD").write_text("ref")
    (target / "README.md").write_text("mine")
    (house / "fewshot/x.yaml").unlink()
    assert pf("redact", str(target)).code == 0
    made = all_of(target)
    assert "fewshot/x.yaml" not in made
    assert (made[".git/HEAD"], made["README.md"]) == ("ref", "mine")
    assert not [path for path in target.parent.iterdir() if path.name.endswith(TEMPORARY)]


def test_no_folder_and_no_project(house, pf, tmp_path):
    """Both say what to type."""
    done = pf("redact")
    assert (done.code, done.err) == (
        2,
        "error: where should the copy be?\n"
        "  hint: promptforge redact ../my-house-public; or a text: promptforge redact --text < error.txt\n",
    )
    assert "no promptforge.yaml here or above" in pf("redact", "copy", cwd=tmp_path).err
    done = pf("redact", "copy", "--text", "x")
    assert done.err.startswith("error: a text goes to stdout, so no folder is needed\n")


def test_a_key_that_is_none(house, pf, target):
    """Too short, or a folder."""
    (house / "short.key").write_bytes(b"\xf1" * 20)
    said = "short.key is no key: it has 20 bytes, and a key has 32 or more"
    assert said in pf("redact", "../x", "--key", "short.key").err
    assert "the key cannot be read: knowledge: is a directory" in pf("redact", "../x", "--key", "knowledge").err
    assert "cannot write the key no/such.key" in pf("redact", "../x", "--key", "no/such.key").err


_AT_OPERATION = """
import os, signal, sys
left, parent = int(sys.argv.pop(1)), sys.argv.pop(1)
def hook(event, args):
    global left
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir") and str(args[0]).startswith(parent):
        if event != "open" or args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
from promptforge.cli.main import main
main()
"""


def test_a_kill_leaves_nothing_half(house, target, environ):
    """Killed before each change of the disk: the old copy, the new one, or none; and the next run leaves no trace."""
    command = [sys.executable, "-c", _AT_OPERATION]

    def run(operation: int) -> int:
        arguments = [str(operation), str(target.parent), "redact", str(target), "--key", str(house / "k.key")]
        return subprocess.run([*command, *arguments], cwd=house.root, env=environ, capture_output=True).returncode

    assert run(10_000) == 0
    (target / "README.md").write_text("mine")
    old = all_of(target)
    house.write("fewshot/new.yaml", "examples:\n- {id: b, user: u, assistant: a}\n")
    killed = 0
    for operation in range(1, 60, 2):
        if run(operation) == 0:
            break
        killed += 1
        made = all_of(target) if target.exists() else old
        new = {**old, "fewshot/new.yaml": "examples:\n- {id: b, user: u, assistant: a}\n"}
        assert {"README.md": "mine", **made} in (old, new)
    assert killed > 8
    assert run(10_000) == 0
    assert all_of(target) == new
    assert not [path for path in target.parent.iterdir() if path.name.endswith(TEMPORARY)]


def test_what_would_be_left_is_said_and_nothing_is_written(house, pf, target, monkeypatch):
    """The last look does not trust what was done."""
    from promptforge.redaction.text import Redactor

    monkeypatch.setattr(Redactor, "_named", lambda *_: iter(()))
    done = pf("redact", str(target))
    assert done.code == 2
    assert re.search(r"something of the original would be left: promptforge\.yaml:1 \(a name \(person\)\)", done.err)
    assert "odette" not in done.err.lower()
    assert not target.exists()


# ---- A text ----------------------------------------------------------------------------------------------------------

ERROR = "Odette ran mini's check: 192.168.178.20 (3c-22-fb-0a-1b-2c) refused, see /home/odette/x, 10.9.9.9\n"


def test_a_text_joins_the_copy(house, pf, target):
    """The same names and addresses as in the copy; the summary is beside it, on stderr."""
    pf("redact", str(target))
    house.write("error.txt", ERROR)
    done = pf("redact", "--text", "error.txt")
    copy = "\n".join(all_of(target).values())
    match = re.fullmatch(
        r"(Person\d+) ran (host\d+)'s check: ([\d.]+) \(([0-9a-f-]+)\) refused, see /home/(person\d+)/x, ([\d.]+)\n",
        done.out,
    )
    assert match
    assert f"{match[2]}: {{site: " in copy
    assert f"lan_ip: {match[3]}, mac: {match[4].upper().replace('-', ':')}," in copy
    assert match[5].capitalize() == match[1]
    assert match[6] not in copy
    assert done.err.startswith(
        "replaced: names of people (1), hosts and host names (1), user names (1), IP addresses (2), MACs (1)\nread it"
    )


def test_a_text_comes_by_a_pipe(house, process):
    """`promptforge redact --text < error.txt`."""
    house.write("error.txt", ERROR)
    done = process("redact", "--text", shell='exec "$@" < error.txt')
    assert done.code == 0
    assert done.out.count("\n") == 1
    assert "Odette" not in done.out


def test_a_text_without_a_project(pf, tmp_path):
    """By form alone, with a key for once, and it says so."""
    (tmp_path / "error.txt").write_text(ERROR)
    done = pf("redact", "--text", "error.txt", cwd=tmp_path)
    assert "Odette" in done.out
    assert "192.168" not in done.out
    assert "no project here: names of hosts and people are not known" in done.err
    assert "with a key for this once" in done.err
    first, second = (
        pf("redact", "--text", "error.txt", "--key", "a.key", "--word", "Odette", cwd=tmp_path) for _ in "ab"
    )
    assert first.out == second.out
    assert "Odette" not in first.out


def test_what_is_no_text(house, pf):
    """It is said, and nothing is shown."""
    (house / "x.bin").write_bytes(b"a\0b")
    assert "x.bin is no text: it holds NUL bytes" in pf("redact", "--text", "x.bin").err
    assert "gone.txt cannot be read: no such file" in pf("redact", "--text", "gone.txt").err


def test_a_text_as_json(house, pf):
    """The text and how much was replaced."""
    house.write("error.txt", "mini at 10.9.9.9")
    made = json.loads(pf("redact", "--text", "error.txt", "--format", "json").out)
    assert made["replaced"] == {"hosts": 1, "addresses": 1}
    assert made["version"] == 1
