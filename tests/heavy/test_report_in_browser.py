"""The report in a headless Chromium: what it draws, how it is used, and that nothing in it runs but its own scripts."""

import dataclasses
import re

import pytest

from browser import CONTRAST, browser
from promptforge.bench.arms import arm_scores
from promptforge.bench.compare import compare
from promptforge.bench.report.page import page
from promptforge.bench.results import Arm, Held, Run
from runs import BASE, ENRICHED, PRIVATE_MAC, make_run, with_answer

pytestmark = pytest.mark.heavy

NO_FEW_SHOT = Arm(model="coder-14b", variant="without few-shot")
HOSTILE = (
    "</script><script>document.hacked=1</script><img src=x onerror='document.hacked=2'><svg onload=document.hacked=3>"
    "<a href='javascript:document.hacked=4'>x</a> \u2028\u2029 ${document.hacked=5} <style>*{display:none}</style>"
)
COUNT = "return document.querySelector('#table output').textContent"
OPENED = "return document.querySelector('.detail:not([hidden])')?.innerText"


@pytest.fixture(scope="module")
def window():
    with browser() as opened:
        yield opened


@pytest.fixture
def show(window, tmp_path):
    """Open the report of a run, in a window of a desk and in light colours."""

    def opened(run: Run, **options):
        return shown(run, [compare(run, run.arms[0], run, arm) for arm in run.arms[1:]], **options)

    def shown(run: Run, comparisons, **options):
        file = tmp_path / "report.html"
        text = page(run, comparisons, [arm_scores(run, arm) for arm in run.arms], **options)
        file.write_text(text, encoding="utf-8")
        window.size(1280, 900)
        window.dark(False)
        window.log()
        window.open(file)
        return window

    yield opened
    window.scripts(True)
    window.devtools("Emulation.setEmulatedMedia", media="", features=[])


def choose(window, name: str, value: str) -> str:
    """Set a filter, and say how many cases are left."""
    window.run(
        "const c = document.querySelector(`#table [name=${arguments[0]}]`); c.value = arguments[1];"
        "c.dispatchEvent(new Event(c.tagName === 'SELECT' ? 'change' : 'input'))",
        name,
        value,
    )
    if name == "text":  # it waits until nobody types
        window.run("return new Promise((done) => setTimeout(done, 250))")
    return window.run(COUNT)


def left(said: str) -> int:
    """The number of cases that the table says it has."""
    found = re.match(r"[\d,]+–[\d,]+ of ([\d,]+) case", said)
    return int(found[1].replace(",", "")) if found else 0


# --- what is shown -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(make_run(), id="withheld"),
        pytest.param(make_run(faults=False, arms=(BASE, ENRICHED, NO_FEW_SHOT)), id="three arms"),
        pytest.param(make_run(faults=False, arms=(ENRICHED,)), id="one arm"),
        pytest.param(dataclasses.replace(make_run(), cases=(), replies=()), id="nothing"),
    ],
)
def test_the_page_comes_up_without_a_complaint_and_loads_nothing(show, run, tmp_path):
    """Its policy lets its own scripts and drawings pass, the browser asks for nothing else, and nothing overflows."""
    window = show(run)
    assert window.run("return document.body.dataset.ready") == "yes"
    assert window.run("return performance.getEntriesByType('resource').length") == 0
    for width in (1280, 390, 320):
        window.size(width, 844)
        assert window.run("return document.documentElement.scrollWidth") <= width
        window.screenshot(tmp_path / f"{width}.png")
        assert (tmp_path / f"{width}.png").stat().st_size > 20_000
    assert window.log() == []


@pytest.mark.parametrize("width", [320, 375])
def test_a_phone_shows_the_figures_beside_their_names(show, width):
    """Tokens, money, time and the failures fit; what does not fades at the side where there is more of it."""
    window = show(make_run(faults=False))
    window.size(width, 800)
    window.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    wide = "return [...document.querySelectorAll(arguments[0])].map((box) => box.scrollWidth - box.clientWidth)"
    assert window.run(wide, "#resources .scroll") == [0]
    assert window.run(wide, "#labels .scroll") == [0, 0]
    ends = "return [...document.querySelectorAll('#resources td')].map((cell) => cell.getBoundingClientRect().right)"
    assert max(window.run(ends)) <= width
    box = "document.querySelector('#categories .scroll')"
    assert window.run(f"return {box}.classList.contains('on-right')") is True
    window.run(f"{box}.scrollLeft = 5000")
    window.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert window.run(f"return {box}.classList.contains('on-right')") is False


def test_the_policy_stops_what_was_smuggled_in(show, window, tmp_path):
    """A script that somebody writes into the file does not run; and the browser's log would have told us."""
    show(make_run(cases=16))
    file = tmp_path / "report.html"
    text = file.read_text(encoding="utf-8")
    smuggled = "<script>document.hacked=1</script><img src='https://192.0.2.1/x.png' onerror='document.hacked=2'>"
    file.write_text(text.replace("<main", smuggled + "<main"), encoding="utf-8")
    window.open(file)
    assert window.run("return document.hacked") is None
    said = " ".join(window.log())
    assert "script-src" in said
    assert "192.0.2.1" in said
    assert window.run("return document.body.dataset.ready") == "yes"


def test_texts_of_models_stay_texts(show):
    """A hostile answer is read as it was written, in the table of cases too, and nothing of it runs."""
    run = with_answer(make_run(cases=16, faults=False), HOSTILE)
    held = Held(agent="windu", variant="enriched", line=2, file=HOSTILE, file_line=1, fact=HOSTILE)
    case = dataclasses.replace(run.cases[0], question=HOSTILE, expected=(HOSTILE,), held=(held,))
    run = dataclasses.replace(run, cases=(case, *run.cases[1:]), notes=(HOSTILE,), stopped=HOSTILE)
    window = show(run, explain=lambda held: HOSTILE)
    window.run("document.querySelector('.opener').click()")
    assert window.run("return document.querySelector('.reply pre').textContent") == HOSTILE
    assert window.run(OPENED).count("document.hacked=3") >= 5
    assert window.run("return document.hacked") is None
    assert window.run("return document.querySelectorAll('script').length") == 5
    assert window.log() == []


def test_the_drawing_has_what_the_table_has(show):
    """A dot and an interval for each row, n beside it, and a name for those who do not see it.

    A row that is shown although no smaller difference could be has no grey band.
    """
    window = show(make_run(faults=False))
    rows = window.run("return document.querySelectorAll('.forest + .scroll tbody tr:not(.group)').length")
    assert rows == 12
    count = "return document.querySelectorAll(`.drawing [aria-label='${arguments[0]}'] > *`).length"
    for mark in ("dot", "link"):
        assert window.run(count, mark) == rows
    without_band = window.run("return document.querySelector('.forest + .scroll').textContent").count("no smaller one")
    assert window.run(count, "bar") == rows - without_band
    assert without_band < rows
    assert window.run("return document.querySelector('.drawing').textContent").count("n = ") == rows
    assert "Paired differences" in window.run("return document.querySelector('.drawing').getAttribute('aria-label')")
    window.size(390, 844)
    window.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert window.run("return document.querySelector('.drawing').clientWidth") < 370


def test_a_folded_comparison_is_drawn_when_it_is_opened(show):
    """Its figure has no size before."""
    window = show(make_run(faults=False, arms=(BASE, ENRICHED, NO_FEW_SHOT)))
    assert window.run("return document.querySelectorAll('.drawing').length") == 1
    window.run("document.querySelector('#categories details').open = true")
    window.run("return new Promise((done) => setTimeout(done, 100))")
    assert window.run("return document.querySelectorAll('.drawing').length") == 2


# --- how it is used ----------------------------------------------------------------------------------------------------


def test_the_cases_can_be_filtered(show):
    """By text, category, tier, label, state, agent, arm, change and kind; each as the run itself says."""
    run = make_run()
    window = show(run)
    assert left(window.run(COUNT)) == len(run.cases)
    expected = {
        ("category", "family"): {case.id for case in run.cases if case.category == "family"},
        ("tier", "heldout"): {case.id for case in run.cases if case.tier == "heldout"},
        ("agent", "mundi"): {reply.case for reply in run.replies if reply.agent == "mundi"},
        ("state", "timed_out"): {reply.case for reply in run.replies if reply.state == "timed_out"},
        ("state", "unanswered"): {reply.case for reply in run.replies if reply.state in ("failed", "timed_out")},
        ("label", "made_up"): {r.case for r in run.replies if r.score and r.score.label == "made_up"},
        ("kind", "generated"): {case.id for case in run.cases if case.generated},
        ("change", "broke"): {flip.case for flip in compare(run, BASE, run, ENRICHED).broke},
        ("text", "silence KITCHEN"): {case.id for case in run.cases if "silence the kitchen" in case.question},
        ("text", "knowledge/ports.yaml:9"): {c.id for c in run.cases if c.held and c.held[0].file_line == 9},
    }
    for (name, value), cases in expected.items():
        assert left(choose(window, name, value)) == len(cases), name
        shown = window.run("return [...document.querySelectorAll('.opener code')].map((c) => c.textContent)")
        assert set(shown) <= cases
        choose(window, name, "")
    choose(window, "arm", "1")
    both = {r.case for r in run.replies if r.arm == ENRICHED and r.score and r.score.label == "made_up"}
    assert left(choose(window, "label", "made_up")) == len(both)
    assert choose(window, "text", "no such words") == "No cases (109 in all)"
    window.run("[...document.querySelectorAll('.bar button')].find((b) => b.textContent === 'Show all').click()")
    assert left(window.run(COUNT)) == len(run.cases)


def test_a_number_of_the_failures_opens_its_cases(show):
    """The button sets label, arm and kind, and as many cases are there as it says."""
    run = make_run(faults=False)
    window = show(run)
    for button in window.run(
        "return [...document.querySelectorAll('#labels button')].map((b) => [b.dataset.label, b.dataset.arm, b.textContent])"
    ):
        press = (
            "document.querySelector(`#labels button[data-label=${arguments[0]}][data-arm='${arguments[1]}']`).click()"
        )
        window.run(press, *button[:2])
        assert left(window.run(COUNT)) == int(button[2].split()[0]), button
    window.run("document.querySelector('#labels button[data-label=made_up][data-arm=\"1\"]').click()")
    counting = {case.id for case in run.cases if case.counts}
    made_up = {r.case for r in run.replies if r.arm == ENRICHED and r.score and r.score.label == "made_up"} & counting
    assert left(window.run(COUNT)) == len(made_up)
    assert window.run("return document.querySelector('#table [name=label]').value") == "made_up"
    assert window.run("return document.activeElement.name") == "text"


def test_the_cases_come_in_pages(show):
    """Fifty at a time, forwards and backwards."""
    window = show(make_run(faults=False))
    press = "[...document.querySelectorAll('.bar button')].find((b) => b.textContent === arguments[0]).click()"
    assert window.run(COUNT) == "1–50 of 109 cases"
    window.run(press, "Next")
    window.run(press, "Next")
    assert window.run(COUNT) == "101–109 of 109 cases"
    assert window.run("return document.querySelectorAll('.row').length") == 9
    window.run(press, "Previous")
    assert window.run(COUNT) == "51–100 of 109 cases"


def test_a_case_shows_everything_about_it(show):
    """Question, expected, both answers with scores and figures, and the lines that held the fact."""
    run = make_run(faults=False)
    window = show(run, explain=lambda held: f"| mini | {held.fact} | {PRIVATE_MAC} |")
    window.run("[...document.querySelectorAll('#changed a')].find((a) => a.textContent === 'correlation-027').click()")
    text = window.run(OPENED)
    for part in (
        "Which port does Home Assistant (Default) use?",
        "all: 8123",
        "suites/carmack-v2.yaml:199",
        "base · windu · 1.000 · right",
        "enriched · quigon · ",
        "judged 0.",
        "tokens in",
        "Prompt lines that hold the fact",
        "windu · enriched · line 39 ← knowledge/ports.yaml:31 (ports/mini:8123)",
        "| mini | ports/mini:8123 | ▒▒▒ |",
    ):
        assert part in text, part
    assert PRIVATE_MAC not in window.run("return document.documentElement.outerHTML")
    assert window.run("return document.activeElement.getAttribute('aria-expanded')") == "true"


def test_a_huge_answer_says_that_it_was_cut(show):
    """And the page stays in shape."""
    window = show(with_answer(make_run(cases=16, faults=False), "word " * 50_000))
    window.run("document.querySelector('.opener').click()")
    assert "Cut: 230,000 more characters are not in this page." in window.run(OPENED)
    assert window.run("return document.querySelector('.reply pre').clientHeight") < 600


def test_the_keyboard_is_enough(show):
    """The first stop is the skip link; a case opens and closes with Enter; what has the focus is seen."""
    window = show(make_run(faults=False))
    window.press("\ue004")
    assert window.run("return document.activeElement.className") == "skip"
    assert window.run("return document.activeElement.getBoundingClientRect().left") >= 0
    window.press("\ue007")
    assert window.run("return location.hash") == "#verdict"
    window.run("document.querySelector('.opener').focus()")
    window.press("\ue007")
    assert window.run("return document.activeElement.getAttribute('aria-expanded')") == "true"
    assert window.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    detail = window.run("return document.getElementById(document.activeElement.getAttribute('aria-controls')).hidden")
    assert detail is False
    window.press("\ue007")
    assert window.run("return document.activeElement.getAttribute('aria-expanded')") == "false"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("faults", [False, True], ids=["better", "withheld"])
def test_every_text_can_be_read(show, dark, faults):
    """At least 4.5 to 1 between a text and its ground (WCAG AA), in light and in dark."""
    window = show(make_run(faults=faults))
    window.dark(dark)
    window.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    window.run("document.querySelector('.opener').click()")
    assert window.run(CONTRAST) == []
    ground = window.run("return getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", ground))) < 60) is dark


def test_without_scripts_everything_but_filtering_and_drawing_is_there(show, window, tmp_path):
    """The tables, and the cases of most interest."""
    show(make_run())
    window.scripts(False)
    window.open(tmp_path / "report.html")
    window.screenshot(tmp_path / "plain.png")
    seen = window.devtools("Accessibility.getFullAXTree")["nodes"]
    names = " ".join(str(node.get("name", {}).get("value", "")) for node in seen)
    assert "Scripts are off, so the cases cannot be filtered." in names
    assert "Paired differences" in names
    assert "satellite-024" in names
    assert "Filter the cases" not in names


def test_it_can_be_printed(show):
    """On paper there is no navigation, and what was folded is open."""
    window = show(make_run(faults=False))
    window.devtools("Emulation.setEmulatedMedia", media="print")
    assert window.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
    window.run("dispatchEvent(new Event('beforeprint'))")
    assert window.run("return document.querySelectorAll('main details:not([open])').length") == 0
    printed = window.devtools("Page.printToPDF", printBackground=False)["data"]
    assert len(printed) > 50_000


def test_a_large_run_stays_usable(show):
    """4,000 results: only a page of them is in the document, and a search finds the last."""
    run = make_run(cases=1800, faults=False)
    window = show(run)
    assert window.run("return document.querySelectorAll('#table tr').length") < 150
    assert left(choose(window, "text", run.cases[-1].id)) == 1
    assert window.run("return document.querySelector('.opener code').textContent") == run.cases[-1].id
