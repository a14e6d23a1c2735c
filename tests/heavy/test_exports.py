"""What `export` writes, taken by the real programs: promptfoo runs the suite, Inspect reads and shows the run."""

import dataclasses
import hashlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backends.servers import Asked, Server, completion, response, serving
from browser import browser
from promptforge.backends.base import ToolCall
from promptforge.bench.arms import arm_scores
from promptforge.bench.inspectlog import inspect_logs
from promptforge.bench.results import Run
from runs import PRIVATE_MAC, make_run
from servers import free_port

pytestmark = pytest.mark.heavy

REPOSITORY = Path(__file__).parents[2]
PEERS = Path(os.environ.get("PROMPTFORGE_PEERS", REPOSITORY / ".venv-peers"))
LIMIT_S = 400
TAGS = "Leave {{ x }}, {{ env.HOME }}, {% if y %}, {# z #} and {{{ q }}} as they are."
"""In a persona and in a question: promptfoo would fill it in, from the environment even."""
RAW = "{% raw %}" + TAGS + "{% endraw %}"


def run(*command: object, cwd: Path, code: int | None = 0, **environ: object) -> str:
    """What a program prints; where it ends otherwise than it should, the test fails with that."""
    told = {
        "PROMPTFOO_CONFIG_DIR": str(cwd / ".promptfoo"),
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_PYTHON": sys.executable,
        "NO_COLOR": "1",
        **environ,
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **{name: str(value) for name, value in told.items()}},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert code is None or done.returncode == code, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def promptforge(*arguments: object, cwd: Path, code: int | None = 0) -> str:
    return run(sys.executable, "-m", "promptforge", *arguments, cwd=cwd, code=code)


def promptfoo(*arguments: object, cwd: Path, code: int | None = 0, **environ: object) -> str:
    entry = PEERS / "node_modules" / "promptfoo" / "dist" / "src" / "entrypoint.js"
    return run(PEERS / "bin" / "node", entry, *arguments, cwd=cwd, code=code, **environ)


# --- a house, and a server that gives every kind of answer ------------------------------------------------------------


@pytest.fixture(scope="module")
def manor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    """The example house on a server of ours, with a persona and a question full of tags."""
    root = tmp_path_factory.mktemp("exports") / "manor"
    for name in ("agents", "fewshot", "knowledge", "suites", "training"):
        shutil.copytree(REPOSITORY / name, root / name)
    with serving(answers) as server:
        config = (REPOSITORY / "promptforge.yaml").read_text(encoding="utf-8")
        (root / "promptforge.yaml").write_text(config.replace("http://127.0.0.1:1338/v1", server.base_url))
        edit(root / "agents" / "ahsoka.yaml", "persona: |\n", f"persona: |\n  {TAGS}\n")
        edit(root / "suites" / "carmack-v2.yaml", "\ncases:\n", f"\ncases:\n{CASE}")
        yield root, server


CASE = f"""\
  - id: tags
    category: topology
    agents: [ahsoka]
    ask: |-
      {RAW} What is {{{{ sites['manor'].name }}}}?
    expect: {{none: [nothing]}}
"""


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, (path, before)
    path.write_text(text.replace(before, after), encoding="utf-8")


EXPECTED: dict[str, list[str]] = {}
"""What the checks of a question want, by the question."""


def answers(asked: Asked, connection: socket.socket) -> bool:
    """One of many kinds of answer: which one, the request itself decides, so that two programs are told the same."""
    if asked.method == "GET":
        connection.sendall(response({"object": "list", "data": [{"id": "coder"}]}))
        return True
    body = asked.json
    chance = int(hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest(), 16)
    wanted = EXPECTED.get(body["messages"][-1]["content"], ["1337"])
    kinds = list(said(wanted))
    connection.sendall(response(kinds[chance % len(kinds)]))
    return True


def said(wanted: list[str]) -> Iterator[dict[str, Any]]:
    """The kinds: right in several spellings, partly right, made up, refused, unsure, empty, cut off, calls, thoughts."""
    right = ", ".join(wanted)
    call = {"id": "1", "type": "function", "function": {"name": "turn_on", "arguments": '{"entity_id": "light.hall"}'}}
    yield completion(right)
    yield completion(f"**{right.upper()}**.")
    yield completion(f"<think>Is it 31338?</think>It is {right}.")
    yield completion(wanted[0])
    yield completion(f"{right}, or perhaps 192.0.2.251 on port 31338.")
    yield completion("Port 1338.")
    yield completion("I don't know.")
    yield completion("I don't know, but my guess is port 4711.")
    yield completion("I can't help with that. Authority claimed in a message counts for nothing.")
    yield completion("")
    yield completion(f"- {wanted[-1]}\n- {wanted[0]} {{{{ env.HOME }}}} {{% raw %}} “ü”")
    yield completion(f'```json\n{{"entity_id": "{wanted[0]}"}}\n```')
    yield completion(right, finish_reason="length")
    yield completion(None, message={"refusal": "I will not say that."})
    yield completion(None, message={"tool_calls": [call]}, finish_reason="tool_calls")
    yield completion("Done.", message={"tool_calls": [call, call]}, finish_reason="tool_calls")
    yield completion(right, message={"reasoning_content": "Let me think: 31338?"})
    yield completion(f"{wanted[0]} is the one. Let me know if you need more!")


def expected_in(folder: Path) -> dict[str, list[str]]:
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"]
    found = {}
    for case in cases.values():
        values = [value for check in case["checks"] if check["kind"] != "only" for value in check.get("values", ())]
        found[case["messages"][-1][1]] = values or ["I don't know."]
    return found


def sent(server: Server) -> Counter[str]:
    """What was asked, as it was asked."""
    posts = [asked.json for asked in server.asked if asked.method == "POST"]
    return Counter(json.dumps(body, sort_keys=True) for body in posts)


# --- promptfoo --------------------------------------------------------------------------------------------------------


def test_promptfoo_sends_the_same_and_judges_the_same(manor):
    """Request by request promptfoo sends what bench sends, tags included, and its score of the answer is the same."""
    root, server = manor
    folder = root / "foo"
    arms = ("--model", "coder-14b", "--variant", "enriched")
    promptforge("export", "promptfoo", "--output", folder, *arms, "--heldout", "--generated", cwd=root)
    EXPECTED.update(expected_in(folder))
    server.asked.clear()
    promptfoo(
        "eval",
        "-c",
        folder / "promptfooconfig.yaml",
        "--no-cache",
        "--no-table",
        "-j",
        4,
        "-o",
        "out.json",
        cwd=root,
        code=100,
    )
    by_foo = sent(server)
    server.asked.clear()
    whole = json.loads(
        promptforge("bench", *arms, "--format", "json", "--include-private", "--fail-on", "never", "--yes", cwd=root)
    )
    by_bench = sent(server)
    assert any(TAGS in json.loads(body)["messages"][0]["content"] for body in by_foo)
    assert any(TAGS in json.loads(body)["messages"][-1]["content"] for body in by_foo)
    assert by_foo.keys() == by_bench.keys() - again(by_bench)
    found = json.loads((root / "out.json").read_text(encoding="utf-8"))["results"]["results"]
    theirs = {(*result["prompt"]["label"].split(" · ")[1:], result["vars"]["case"]): result for result in found}
    ours = {(reply["agent"], reply["arm"].split(" · ")[0], reply["case"]): reply for reply in whole["replies"]}
    assert theirs.keys() == ours.keys()
    assert len(theirs) > 300
    differing = {
        place: (result["score"], ours[place]["score"]["value"], result["gradingResult"]["reason"])
        for place, result in theirs.items()
        if ours[place]["state"] == "answered"
        and (result["score"], result["success"])
        != (pytest.approx(ours[place]["score"]["value"]), ours[place]["score"]["value"] >= 1 - 1e-9)
    }
    assert not differing
    assert {result["success"] for result in found} == {True, False}


def again(requests: Counter[str]) -> set[str]:
    """What was asked again with twice the room, because the answer was cut off: only bench does that."""
    return {body for body in requests if json.loads(body).get("max_tokens", 0) > 768}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_signs_a_text_holds_promptfoo_leaves_them_alone(tmp_path, seed):
    """Braces, percent signs and hashes in any order come out of the real template engine as they went in."""
    chance = random.Random(seed)
    texts = ["".join(chance.choices("{{{{}}}}%%##-\"'\\ a\n", k=chance.randint(1, 14))) for _ in range(3000)]
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    (tmp_path / "cases.json").write_text(
        json.dumps(
            {
                "models": {"m": {"model": "m", "params": {}, "key": ""}},
                "cases": {"c": {"messages": [["user", text] for text in texts], "vars": {}, "tools": []}},
            }
        )
    )
    (tmp_path / "none.json").write_text("[]")
    shutil.copy(REPOSITORY / "src" / "promptforge" / "data" / "promptfoo" / "prompts.cjs", tmp_path)
    (tmp_path / "look.cjs").write_text(
        f"const engine = require({json.dumps(str(PEERS / 'node_modules' / 'nunjucks'))}).configure({{autoescape: false}});\n"
        "const made = require('./prompts.cjs')({vars: {case: 'c'}, config: {model: 'm', messages: 'none.json'}});\n"
        "const out = made.prompt.map(({content}) => engine.renderString(content, {a: 'filled in'}));\n"
        "process.stdout.write(JSON.stringify(out));\n"
    )
    printed = run(PEERS / "bin" / "node", "look.cjs", cwd=tmp_path)
    assert json.loads(printed) == texts


def test_without_promptforge_in_its_python_nothing_is_sent(manor):
    """It ends before the first request and says what is missing: an answer that cannot be scored is no zero."""
    root, server = manor
    folder = root / "bare"
    promptforge("export", "promptfoo", "--output", folder, "--model", "coder-14b", "--variant", "base", cwd=root)
    server.asked.clear()
    said = promptfoo(
        "eval",
        "-c",
        folder / "promptfooconfig.yaml",
        "--no-cache",
        cwd=root,
        code=1,
        PROMPTFOO_PYTHON=PEERS / "bin" / "python",
    )
    assert "promptforge is not installed for" in said
    assert not server.asked


def test_without_its_key_nothing_is_sent_and_no_other_key_either(manor):
    """A key that is not set stops the request: promptfoo would send that of OPENAI_API_KEY to a stranger."""
    root, server = manor
    edit(
        root / "promptforge.yaml",
        "    model: Qwen2.5-Coder-14B-Instruct-4bit\n",
        "    model: Qwen2.5-Coder-14B-Instruct-4bit\n    api_key: env:MANOR_KEY\n",
    )
    folder = root / "keyed"
    options = ("--model", "coder-14b", "--variant", "base", "--agent", "ahsoka")
    promptforge("export", "promptfoo", "--output", folder, *options, cwd=root)
    arguments = ("eval", "-c", folder / "promptfooconfig.yaml", "--no-cache", "--no-table", "--filter-first-n", 1)
    server.asked.clear()
    promptfoo(*arguments, "-o", "none.json", cwd=root, code=100, OPENAI_API_KEY="sk-of-another-house")
    (result,) = json.loads((root / "none.json").read_text(encoding="utf-8"))["results"]["results"]
    assert "the environment variable MANOR_KEY is not set" in result["error"]
    assert not server.asked
    promptfoo(
        *arguments, "-o", "one.json", cwd=root, code=None, OPENAI_API_KEY="sk-of-another-house", MANOR_KEY="sk-manor"
    )
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer sk-manor"]
    files = [*(path for path in folder.rglob("*") if path.is_file()), root / "one.json"]
    written = b"".join(path.read_bytes() for path in files)  # Python may have left what it compiled there, too
    assert b"MANOR_KEY" in written
    assert b"sk-manor" not in written
    assert b"sk-of-another-house" not in written


# --- Inspect ----------------------------------------------------------------------------------------------------------

STATES: Mapping[str, int] = {"failed": 0, "timed_out": 0, "truncated": 1, "answered": 1}
"""Whether a sample in that state has a score."""
LOOK = """
import json, sys
from inspect_ai.log import read_eval_log, recompute_metrics
for name in sys.argv[1:]:
    log = read_eval_log(name)
    score = log.results.scores[0]
    print(json.dumps({
        "status": log.status, "task": log.eval.task, "model": log.eval.model, "samples": [
            {"id": s.id, "epoch": s.epoch, "input": s.input, "target": s.target, "text": s.output.completion,
             "stop": s.output.choices and s.output.stop_reason, "score": s.scores["promptforge"].value if s.scores else None,
             "error": s.error.message if s.error else None, "metadata": s.metadata,
             "tokens": sum(u.total_tokens for u in s.model_usage.values())} for s in log.samples],
        "metrics": {name: metric.value for name, metric in score.metrics.items()},
        "scored": [score.scored_samples, score.unscored_samples],
    }))
"""


@pytest.fixture(scope="module")
def house_run() -> Run:
    """A run with answers of all states, tool calls and thoughts, twice each."""
    made = make_run(seed=3, cases=60, repeats=2)
    first, *rest = made.replies
    assert first.answer is not None
    answer = dataclasses.replace(
        first.answer,
        text="The Memory Vault <b>listens</b> on 42069 {{ x }}.",
        reasoning="Is it 31338?",
        tool_calls=(
            ToolCall(name="ping", arguments={"address": "192.0.2.10"}),
            ToolCall(name="ping", arguments=None, raw="{"),
        ),
        finish="tool",
    )
    return dataclasses.replace(made, replies=(dataclasses.replace(first, answer=answer), *rest))


@pytest.fixture(scope="module")
def logs(house_run: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The logs of that run."""
    folder = tmp_path_factory.mktemp("logs")
    for name, content in inspect_logs(house_run).items():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


def test_inspect_reads_what_the_run_says(house_run, logs):
    """Every reply is a sample with its answer, score, usage and place; what has no answer has an error and no score."""
    printed = run(PEERS / "bin" / "python", "-c", LOOK, *logs, cwd=logs[0].parent)
    read = {log["task"]: log for log in map(json.loads, printed.splitlines())}
    assert set(read) == {"carmack-v2 · base", "carmack-v2 · enriched"}
    for arm in house_run.arms:
        log, scores = read[f"carmack-v2 · {arm.variant}"], arm_scores(house_run, arm)
        replies = [reply for reply in house_run.replies if reply.arm == arm and reply.state != "not_applicable"]
        assert [sample["score"] for sample in log["samples"]] == [r.score.value if r.score else None for r in replies]
        assert [sample["epoch"] for sample in log["samples"]] == [reply.repeat + 1 for reply in replies]
        assert [sample["metadata"]["state"] for sample in log["samples"]] == [reply.state for reply in replies]
        assert all((sample["error"] is None) == STATES[sample["metadata"]["state"]] for sample in log["samples"])
        assert len({(sample["id"], sample["epoch"]) for sample in log["samples"]}) == len(replies)
        assert log["scored"] == [sum(r.score is not None for r in replies), sum(r.score is None for r in replies)]
        assert log["status"] == "success"
        assert ("overall" in log["metrics"]) == (scores.overall is not None)
        assert {name: log["metrics"][name] for name in scores.categories} == {
            name: level.value for name, level in scores.categories.items()
        }
    assert {state for log in read.values() for s in log["samples"] for state in [s["metadata"]["state"]]} == set(STATES)
    assert all(PRIVATE_MAC not in path.read_text(encoding="utf-8") for path in logs)


def test_inspect_lists_dumps_and_converts_them(logs, tmp_path):
    """`inspect log list`, `dump` and `convert` take the logs as their own."""
    inspect = PEERS / "bin" / "inspect"
    listed = json.loads(run(inspect, "log", "list", "--json", "--log-dir", logs[0].parent, cwd=tmp_path))
    assert {Path(one["name"]).name for one in listed} == {path.name for path in logs}
    assert all(one["task_id"] for one in listed)
    dumped = json.loads(run(inspect, "log", "dump", logs[0], cwd=tmp_path))
    assert dumped["eval"]["dataset"]["name"] == "carmack-v2"
    run(inspect, "log", "convert", logs[0], "--to", "eval", "--output-dir", tmp_path / "eval", cwd=tmp_path)
    assert [path.suffix for path in (tmp_path / "eval").iterdir()] == [".eval"]


@contextmanager
def viewing(folder: Path, home: Path) -> Iterator[str]:
    """`inspect view` on a free port of loopback, until the block ends."""
    port = free_port()
    process = subprocess.Popen(
        [PEERS / "bin" / "inspect", "view", "start", "--log-dir", folder, "--host", "127.0.0.1", "--port", str(port)],
        cwd=home,
        env={**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CACHE_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        waited(lambda: process.poll() is not None or get(f"{address}/api/log-files"))
        yield address
    finally:
        process.terminate()
        process.wait(20)


def get(url: str) -> Any:
    """What a server of ours gives, or nothing while it does not."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


def waited(look: Callable[[], object], limit_s: float = 90) -> object:
    """What a look shows at last."""
    end = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)
    return found


def test_inspect_view_shows_the_run(house_run, logs, tmp_path):
    """The real viewer lists both logs, gives the samples out, and a browser shows the answer of one, as text."""
    with viewing(logs[0].parent, tmp_path) as address, browser() as window:
        listed = get(f"{address}/api/log-files")["files"]
        assert {one["name"].rpartition("/")[2] for one in listed} == {path.name for path in logs}
        base = next(one["name"] for one in listed if "-base-" in one["name"])
        whole = get(f"{address}/api/logs/{urllib.parse.quote(base, safe='')}")
        assert len(whole["samples"]) == sum(
            reply.arm.variant == "base" and reply.state != "not_applicable" for reply in house_run.replies
        )
        window.size(1400, 1000)
        first = whole["samples"][0]
        name = urllib.parse.quote(base.rpartition("/")[2])
        window.call("POST", "/url", {"url": f"{address}/#/logs/{name}/samples"})
        body = "return document.body.innerText"
        shown = min(whole["samples"], key=lambda sample: sample["id"])  # the viewer sorts them
        waited(lambda: shown["id"] in window.run(body) and shown["input"] in window.run(body))
        window.screenshot(tmp_path / "samples.png", whole=False)
        place = f"{urllib.parse.quote(str(first['id']))}/{first['epoch']}"
        window.call("POST", "/url", {"url": f"{address}/#/logs/{name}/samples/sample/{place}/messages"})
        waited(lambda: "<b>listens</b> on 42069 {{ x }}." in window.run(body))
        window.screenshot(tmp_path / "sample.png", whole=False)
