"""Champions: a history that only grows, and a pointer that never dangles."""

import errno
import json
import shutil
import sqlite3
import threading

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from promote.lodge import adapter
from promptforge import storefile
from promptforge.errors import BusyError, InputError, WriteError
from promptforge.model import Model
from promptforge.store import Store
from promptforge.workbench import champions as crowns
from promptforge.workbench.adapters import (
    adapter_digest,
    check_base,
    damaged_in,
    latest_of,
    read_adapter,
    unlike,
)
from promptforge.workbench.champions import (
    champion_before,
    champion_of,
    champions,
    check_champion,
    crown,
    is_kept,
    last_change,
    point,
    rollback,
)
from promptforge.workbench.weights import Weights
from strategies import tries

AT = "2026-11-22T07:00:00.000+00:00"


@pytest.fixture
def history(tmp_path):
    """A history in a project's folder."""
    with Store(tmp_path / ".promptforge/history.db") as store:
        yield store


def crowned(store, root, name, *, model="tiny", category=""):
    made = read_adapter(adapter(root, name, [1]))
    return crown(store, root, model, made, why=f"{name} won", run="r", at=AT, category=category)


def pointed(root):
    return yaml.safe_load((root / "build/champions.yaml").read_text())


def test_a_champion_outlives_its_candidate(history, tmp_path):
    """It is a copy, whole: deleting build/ takes nothing but the pointer, which is written again."""
    found = crowned(history, tmp_path, "winner")
    shutil.rmtree(tmp_path / "build")
    assert champion_of(history, tmp_path, "tiny") == found
    assert adapter_digest(found.folder) == found.digest
    point(history, tmp_path)
    assert pointed(tmp_path) == {
        "tiny": {
            "adapter": found.folder.relative_to(tmp_path).as_posix(),
            "digest": found.digest,
            "variant": "enriched",
            "recipe": "words",
            "since": AT,
        }
    }
    assert is_kept(tmp_path, found.folder)
    assert not is_kept(tmp_path, tmp_path / "build")


@pytest.mark.parametrize("name", ["org/model", "../../out", "/etc/model", ".."])
def test_a_champion_is_kept_in_one_folder_whatever_its_model_is_called(history, tmp_path, name):
    """Never outside of .promptforge."""
    found = crowned(history, tmp_path, "winner", model=name)
    assert found.folder.parent.parent == tmp_path / ".promptforge/champions"
    assert is_kept(tmp_path, found.folder)


def test_categories_have_champions_of_their_own(history, tmp_path):
    """For the fleet; the pointer has them below their model."""
    crowned(history, tmp_path, "all")
    family = crowned(history, tmp_path, "family", category="family")
    assert champion_of(history, tmp_path, "tiny").why == "all won"
    assert champion_of(history, tmp_path, "tiny", "family") == family
    assert pointed(tmp_path)["tiny"]["categories"]["family"]["digest"] == family.digest
    assert [one.category for one in champions(history, tmp_path)] == ["", "family"]
    assert rollback(history, tmp_path, "tiny", at=AT, category="family") is None
    assert champion_of(history, tmp_path, "tiny").why == "all won"


def test_a_rollback_goes_back_one_at_a_time_or_to_a_number(history, tmp_path):
    """A later promotion stands on what is left."""
    for name in "abc":
        crowned(history, tmp_path, name)
    assert champion_before(history, tmp_path, "tiny").number == 2
    assert rollback(history, tmp_path, "tiny", at=AT, to=1).why == "a won"
    assert crowned(history, tmp_path, "d").number == 5
    assert rollback(history, tmp_path, "tiny", at=AT).number == 1
    with pytest.raises(InputError, match="number 4 is no earlier champion of 'tiny'") as caught:
        rollback(history, tmp_path, "tiny", at=AT, to=4)
    assert caught.value.hint == "it had before: 2, 3, 5; see promptforge champion history tiny"
    assert [row.action for row in history.crownings()] == ["promote"] * 3 + ["rollback", "promote", "rollback"]
    with pytest.raises(InputError, match="'tyni' has no champion to go back from") as caught:
        rollback(history, tmp_path, "tyni", at=AT)
    assert "tiny" in caught.value.hint


def test_any_champion_that_it_had_can_be_gone_back_to(history, tmp_path):
    """Also from the untrained model, and from an earlier one to a later one, with what stood below it then."""
    for name in "ab":
        crowned(history, tmp_path, name)
    rollback(history, tmp_path, "tiny", at=AT)
    assert rollback(history, tmp_path, "tiny", at=AT) is None
    with pytest.raises(InputError, match="'tiny' has no champion to go back from") as caught:
        rollback(history, tmp_path, "tiny", at=AT)
    assert caught.value.hint == "it is served untrained; to a champion that it had (1, 2): --to NUMBER"
    assert rollback(history, tmp_path, "tiny", at=AT, to=2).why == "b won"
    assert champion_before(history, tmp_path, "tiny").why == "a won"
    assert rollback(history, tmp_path, "tiny", at=AT).why == "a won"
    assert rollback(history, tmp_path, "tiny", at=AT, to=2).why == "b won"
    with pytest.raises(InputError, match="number 2 is no earlier champion of 'tiny'") as caught:
        rollback(history, tmp_path, "tiny", at=AT, to=2)
    assert caught.value.hint == "it had before: 1; see promptforge champion history tiny"


def test_who_has_champions_for_categories_alone_is_told_of_them(history, tmp_path):
    """Not that there is no such model."""
    crowned(history, tmp_path, "family", category="family")
    with pytest.raises(InputError, match="'tiny' has no champion to go back from") as caught:
        rollback(history, tmp_path, "tiny", at=AT)
    assert caught.value.hint == "it has had champions for: family; see promptforge champion history tiny"


def test_nothing_goes_back_to_an_adapter_that_has_changed(history, tmp_path):
    """The champion stays."""
    first = crowned(history, tmp_path, "first")
    second = crowned(history, tmp_path, "second")
    (first.folder / "skill.json").write_text("{}")
    with pytest.raises(InputError, match="the adapter of champion 1 is gone or has changed"):
        rollback(history, tmp_path, "tiny", at=AT)
    assert champion_of(history, tmp_path, "tiny") == second


def test_a_kill_before_the_row_leaves_the_champion_as_it_was(history, tmp_path, monkeypatch):
    """The copy is there, nobody points to it; the same promotion then ends well. And a kill before the pointer."""
    first = crowned(history, tmp_path, "first")
    with monkeypatch.context() as patched:
        patched.setattr(Store, "crown", _killed)
        with pytest.raises(KeyboardInterrupt):
            crowned(history, tmp_path, "second")
    assert champion_of(history, tmp_path, "tiny") == first
    with monkeypatch.context() as patched:
        patched.setattr(crowns, "point", _killed)
        with pytest.raises(KeyboardInterrupt):
            crowned(history, tmp_path, "second")
    assert champion_of(history, tmp_path, "tiny").why == "second won"
    assert (tmp_path / pointed(tmp_path)["tiny"]["adapter"]).is_dir()  # the old one, which is kept
    point(history, tmp_path)
    assert pointed(tmp_path)["tiny"]["digest"] != first.digest


def _killed(*_, **__):
    raise KeyboardInterrupt


def test_a_full_disk_leaves_the_champion_as_it_was(history, tmp_path, monkeypatch):
    """Nothing half is found under a name of its own."""
    first = crowned(history, tmp_path, "first")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(crowns.shutil, "copytree", full)
    with pytest.raises(WriteError, match="no space left on device") as caught:
        crowned(history, tmp_path, "second")
    assert caught.value.hint == "make room or mend the permissions; the champion is what it was"
    assert champion_of(history, tmp_path, "tiny") == first
    assert [path.name for path in first.folder.parent.iterdir()] == [first.folder.name]


def test_an_adapter_that_changes_while_it_is_copied_is_refused(history, tmp_path):
    """Its training has not ended."""
    made = read_adapter(adapter(tmp_path, "busy", [1]))
    adapter(tmp_path, "busy", [1, 2])
    with pytest.raises(InputError, match="changed while it was copied"):
        crown(history, tmp_path, "tiny", made, why="", run="", at=AT)
    assert champion_of(history, tmp_path, "tiny") is None


@tries(40)
@given(steps=st.lists(st.one_of(st.sampled_from("abcd"), st.none(), st.integers(1, 6)), max_size=12))
def test_whatever_is_done_the_champion_is_there(steps, tmp_path_factory):
    """Promotions, ways back and ways back to a number, in any order: what is pointed to exists, and equals a model of it."""
    root = tmp_path_factory.mktemp("house")
    stack: list[tuple[int, str]] = []
    then: dict[int, list[tuple[int, str]]] = {}
    with Store(root / ".promptforge/history.db") as store:
        for step in steps:
            if isinstance(step, str):
                stack = [*stack, (crowned(store, root, step).number, step)]
                then[stack[-1][0]] = stack
            else:
                wanted = [number for number in then if not stack or number != stack[-1][0]]
                if (not stack and step is None) or (step is not None and step not in wanted):
                    with pytest.raises(InputError):
                        rollback(store, root, "tiny", at=AT, to=step)
                    continue
                rollback(store, root, "tiny", at=AT, to=step)
                stack = (then[stack[-2][0]] if len(stack) > 1 else []) if step is None else then[step]
            found = champion_of(store, root, "tiny")
            assert (found.number, found.why) == (stack[-1][0], f"{stack[-1][1]} won") if stack else found is None
            assert (root / pointed(root)["tiny"]["adapter"]).is_dir() if stack else pointed(root) == {}


# --- adapters ---------------------------------------------------------------------------------------------------------


def test_the_manifest_tells_the_time_and_is_no_part_of_the_digest(tmp_path):
    """The same weights trained again are the same adapter."""
    one, two = adapter(tmp_path, "one", [1], seed=1), adapter(tmp_path, "two", [1], seed=2)
    for name in ("skill.json", "adapters.safetensors"):
        shutil.copy(one / name, two / name)
    assert adapter_digest(one) == adapter_digest(two)
    (two / "adapters.safetensors").write_text("more")
    assert adapter_digest(one) != adapter_digest(two)


def test_what_an_adapter_says_of_itself(tmp_path):
    """By our manifest, else by what its trainer wrote."""
    ours = read_adapter(adapter(tmp_path, "ours", [1], system="base"))
    assert (ours.model, ours.recipe, ours.variant, ours.agents, ours.seed) == ("tiny", "words", "base", ("warden",), 7)
    folder = adapter(tmp_path, "theirs", [1])
    (folder / "adapter.json").unlink()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "models/gemma"}))
    assert read_adapter(folder).base == "models/gemma"
    (folder / "adapter_config.json").write_text("{")
    with pytest.raises(InputError, match=r"adapter_config\.json cannot be read"):
        read_adapter(folder)


def test_a_foreign_adapter_fits_the_weights_that_its_server_loads(tmp_path):
    """By the name of the folder that both speak of."""
    folder = adapter(tmp_path, "theirs", [1], model="", base="/elsewhere/coder-14b")
    settings = {"serve": "mlx_lm.server --model models/coder-14b --port {port}"}
    check_base(read_adapter(folder), Model(name="coder", backend="compatible", tier="local", settings=settings))
    with pytest.raises(InputError, match="was trained on '/elsewhere/coder-14b', not on 'gemma'"):
        check_base(
            read_adapter(folder), Model(name="gemma", backend="compatible", tier="local", settings={"serve": "x"})
        )


def test_a_history_that_was_moved_away_takes_no_pointer_along(history, tmp_path):
    """Whoever follows it still finds the adapter."""
    found = crowned(history, tmp_path, "winner")
    with Store(tmp_path / "another.db") as other:
        point(other, tmp_path)
    assert pointed(tmp_path)["tiny"]["digest"] == found.digest


def test_weights_that_have_changed_are_told_by_their_files(tmp_path):
    """A large file's time is no evidence: a copy has another one."""
    large = "9000000000 bytes, {}, ab12"
    files = {"config.json": "aa", "model.safetensors": large.format(1)}
    made = read_adapter(adapter(tmp_path, "ours", [1], base_files=files))
    model = Model(name="tiny", backend="compatible", tier="local", settings={})

    def now(**files: str) -> Weights:
        return Weights(model="tiny", named="w", folder=tmp_path, digest="", files=files)

    check_base(made, model)
    check_base(made, model, now(**{"config.json": "aa", "model.safetensors": large.format(2)}))
    with pytest.raises(InputError, match="the weights of 'tiny' have changed since 'ours' was trained on them: config"):
        check_base(made, model, now(**{"config.json": "bb"}))
    with pytest.raises(InputError, match=r"trained on them: model\.safetensors"):
        check_base(made, model, now(**{"model.safetensors": "9000000001 bytes, 1, ab12"}))


def test_a_champion_that_was_written_into_is_no_champion(history, tmp_path):
    """Its answers would be taken for those of the one that was promoted."""
    found = crowned(history, tmp_path, "winner")
    check_champion(found)
    (found.folder / "skill.json").write_text("{}")
    with pytest.raises(InputError, match="the adapter of the champion of 'tiny' has changed"):
        check_champion(found)


def test_the_latest_adapter_of_a_recipe(tmp_path):
    """None where there is none."""
    assert latest_of(tmp_path, "words") is None
    adapter(tmp_path, "other", [1], recipe="others")
    assert latest_of(tmp_path, "words") is None
    folder = adapter(tmp_path, "one", [1])
    assert latest_of(tmp_path, "words") == folder


def test_one_damaged_adapter_hides_no_other(tmp_path):
    """It is named, and the others are gone on with."""
    folder = adapter(tmp_path, "one", [1])
    assert damaged_in(tmp_path) == ()
    broken = adapter(tmp_path, "two", [1]) / "adapter.json"
    broken.write_text('{"recipe": ')
    assert latest_of(tmp_path, "words") == folder
    (said,) = damaged_in(tmp_path)
    assert said.startswith(f"{broken} cannot be read: ")


def test_what_trainings_of_one_candidate_share(tmp_path):
    """Rows, settings, weights and trainer; what a manifest does not say is not held against it."""
    told = {"data": "r", "settings": "s", "base_digest": "w", "trainer": "mlx_lm", "versions": {"mlx-lm": "1"}}
    first = read_adapter(adapter(tmp_path, "first", [1], **told)).made_of
    assert list(first) == ["rows", "settings", "weights", "trainer"]
    assert unlike(first, read_adapter(adapter(tmp_path, "second", [2], **told)).made_of) == ""
    other = read_adapter(adapter(tmp_path, "third", [2], **{**told, "data": "x", "versions": {"mlx-lm": "2"}})).made_of
    assert unlike(first, other) == "rows and trainer"
    assert unlike(first, {}) == unlike({}, first) == ""


# --- the history ------------------------------------------------------------------------------------------------------


def test_an_older_history_is_brought_up_to_date(tmp_path):
    """It keeps all that it has."""
    path = tmp_path / "h.db"
    old = sqlite3.connect(path)
    for statement in storefile._SCHEMAS[0].strip().split(";"):
        old.execute(statement)
    old.execute("INSERT INTO answers VALUES ('i', 'r', '2026', ?)", (b'{"n": 1}',))
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    with Store(path) as store, Store(path) as other:
        assert store.answers(["i"])["i"].body == {"n": 1}
        store.crown("tiny", "promote", {"why": "ö"}, at=AT)
        assert [row.body for row in other.crownings()] == [{"why": "ö"}]


def test_looks_are_counted_by_suite_and_evidence(history):
    """The same evidence is the same look; another digest of the suite begins anew."""
    assert history.look("s", "d1", "a") == 1
    assert [history.put_look("s", "d1", evidence, at=AT) for evidence in "abab"] == [1, 2, 1, 2]
    assert history.look("s", "d1", "c") == 3
    assert history.look("s", "d2", "a") == 1
    assert history.look("t", "d1", "a") == 1


def test_two_processes_never_count_the_same_look(tmp_path):
    """Each writes and reads in one transaction; nobody reads a number that somebody else is about to take."""
    counted: list[int] = []
    begin = threading.Barrier(6)

    def look(evidence: str) -> None:
        with Store(tmp_path / "h.db") as store:
            begin.wait(20)
            counted.extend(store.put_look("s", "d", f"{evidence}{n}", at=AT) for n in range(10))

    threads = [threading.Thread(target=look, args=(evidence,)) for evidence in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(counted) == list(range(1, 61))


def test_looks_of_two_machines_add_up(history, tmp_path):
    """Each counted from one; who looks at what both have seen looks for the fifth time."""
    for evidence in "ab":
        history.put_look("s", "d", evidence, at=AT)
    with Store(tmp_path / "other.db") as other:
        for evidence in "cd":
            other.put_look("s", "d", evidence, at=AT)
        other.import_lines(list(history.export_lines()), name="f")
        assert (other.look("s", "d", "e"), other.put_look("s", "d", "e", at=AT)) == (5, 5)
        assert other.look("s", "d", "a") == 1


def test_looks_move_to_another_machine_and_champions_do_not(history, tmp_path):
    """Their adapters stay here."""
    history.put_look("s", "d", "a", at=AT)
    history.crown("tiny", "promote", {}, at=AT)
    with Store(tmp_path / "other.db") as other:
        other.import_lines(list(history.export_lines()), name="f")
        assert other.look("s", "d", "b") == 2
        assert other.crownings() == ()
        lines = ['{"promptforge": "history", "version": 1}', '{"servers": ["t", "says", "2026"]}']
        other.import_lines(lines, name="f")  # of the version before
        assert other.said("t") == "says"


def test_of_two_that_promote_at_once_one_is_refused(tmp_path):
    """Both judged against the same champion: the second would take the place of one that it never met."""
    crowned_by, refused = [], []
    ready = threading.Barrier(4)

    def promote(number):
        with Store(tmp_path / ".promptforge/history.db") as store:
            made = read_adapter(adapter(tmp_path, f"one-{number}", [number]))
            known = last_change(store, "tiny")
            ready.wait(timeout=30)
            try:
                crowned_by.append(crown(store, tmp_path, "tiny", made, why="", run="", at=AT, after=known).digest)
            except BusyError as problem:
                refused.append(problem.message)

    Store(tmp_path / ".promptforge/history.db").close()
    for at_once in (threads := [threading.Thread(target=promote, args=(number,)) for number in range(4)]):
        at_once.start()
    for at_once in threads:
        at_once.join(timeout=60)
    assert (len(crowned_by), len(refused)) == (1, 3)
    assert "changed while 'one-" in refused[0]
    with Store(tmp_path / ".promptforge/history.db") as store:
        assert last_change(store, "tiny") == 1
        assert last_change(store, "another") == 0
        assert champion_of(store, tmp_path, "tiny").digest == crowned_by[0]
