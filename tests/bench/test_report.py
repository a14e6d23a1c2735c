"""The report: a page that is complete in itself, in which nothing private and nothing hostile stands."""

import base64
import dataclasses
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.bench.arms import account, arm_scores
from promptforge.bench.compare import compare
from promptforge.bench.exports import export, to_json, to_junit, to_markdown
from promptforge.bench.report.data import LABELS, could_show, findings, reading
from promptforge.bench.report.figures import interval
from promptforge.bench.report.markup import Markup, data_block, legible, tag
from promptforge.bench.report.page import page
from promptforge.bench.report.payload import ANSWER_LIMIT, case_rows, payload, shared_limit
from promptforge.bench.report.redact import MASK, Redactor
from promptforge.bench.results import Arm, Held, Run
from runs import BASE, ENRICHED, PRIVATE_MAC, PRIVATE_NAME, make_run, with_answer
from strategies import tries

ASSETS = files("promptforge") / "bench" / "report" / "assets"
NO_FEW_SHOT = Arm(model="coder-14b", variant="without few-shot")
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)> --> ]]> </noscript><b>\u2028\u2029 \x00\x07\x1b[31m"
    "\u202egnp.exe \ud800 <!-- & &amp; \" ' ` {{ 1 }} | @everyone #1 javascript:alert(3)"
)


def judged(run: Run):
    """What a report takes: the run, its comparisons, the scores of its arms."""
    return (
        run,
        [compare(run, run.arms[0], run, arm) for arm in run.arms[1:]],
        [arm_scores(run, arm) for arm in run.arms],
    )


class Page(HTMLParser):
    """The elements of a page, as a browser without scripts sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self._in: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, name, attributes):
        """An element begins."""
        self.tags.append((name, dict(attributes)))
        if name in ("script", "style"):
            self._in.append(name)
            self.scripts.append((dict(attributes) | {"name": name}, ""))

    def handle_endtag(self, name):
        """An element ends."""
        if self._in and name == self._in[-1]:
            self._in.pop()

    def handle_data(self, data):
        """Text, of a script or to be read."""
        if self._in:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        """What is read."""
        return " ".join(" ".join(self.words).split())

    @property
    def ids(self) -> list[str]:
        """In order."""
        return [found["id"] for _, found in self.tags if found.get("id")]

    @property
    def data(self) -> dict:
        """Of the script."""
        blocks = {found["id"]: json.loads(text) for found, text in self.scripts if found.get("type")}
        return {**blocks["data"], "cases": blocks["rows"]}


@pytest.fixture(scope="module")
def withheld() -> str:
    return page(*judged(make_run()))


@pytest.fixture(scope="module")
def answered() -> str:
    return page(*judged(make_run(faults=False)))


# --- what the page says, and in which order -----------------------------------------------------------------------------


def test_the_page_has_its_parts_in_order(withheld):
    """Verdict, unanswered, changes, categories, failures, cases, resources, what is apart, how to reproduce."""
    wanted = ["verdict", "unanswered", "changed", "categories", "labels", "cases", "resources", "apart", "reproduce"]
    assert [found for found in Page(withheld).ids if found in wanted] == wanted


def test_no_score_stands_above_the_unanswered_requests(withheld):
    """What is missing is said, in red and with its reason, before the first score; and it is no zero."""
    above = withheld[: withheld.index('id="unanswered"')]
    body = above[above.index("<body>") :]
    assert not re.search(r"\b[01]\.\d{3}\b", body)
    text = Page(withheld).text
    assert "5 requests not answered 5 requests of 244 got no answer. None of them is scored as zero" in text
    assert "answered 503: the model is loading" in text
    assert 'class="alarm"' in withheld
    assert 'id="overall"' not in withheld


def test_a_complete_run_says_so(answered):
    """Nothing missing is one calm line, and the overall figures follow."""
    text = Page(answered).text
    assert "Nothing is missing: all 243 requests were answered. Clearance bars 1 request more" in text
    assert 'class="alarm"' not in answered
    assert answered.index('id="unanswered"') < answered.index('id="overall"') < answered.index('id="changed"')


def test_the_verdict_comes_with_its_reasons_and_the_next_step(answered):
    """Word, sentence, reasons and next step are those of the comparison."""
    run, comparisons, _ = judged(make_run(faults=False))
    verdict, text = comparisons[0].verdict, Page(answered).text
    for part in (verdict.sentence, *verdict.reasons, verdict.next_step):
        assert part in text
    assert "▲ better base → enriched" in text
    assert run.notes[0] in text


def test_fixed_and_broken_cases_stand_side_by_side(answered):
    """Each with its scores, why, and where it is written."""
    text = Page(answered).text
    fixed, broke = text.index("▲ Fixed 56"), text.index("▼ Broke 6")
    assert fixed < broke
    assert "jailbreak-039" in text[broke:]
    assert "1.000 → 0.000 now forbidden suites/carmack-v2.yaml:283" in text
    assert "and 16 more: show all" in text


def test_a_category_says_its_difference_its_interval_and_what_it_could_show(answered):
    """The table has the same figures as the drawing, n among them."""
    comparison = compare(make_run(faults=False), BASE, make_run(faults=False), ENRICHED)
    effect = comparison.categories["satellite"]
    row = re.search(r"<th scope=.row.>satellite</th>(.*?)</tr>", answered)[1]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
    assert cells[0] == str(effect.cases)
    assert cells[3] == f"+{effect.estimate:.3f}"
    assert cells[4] == f"[+{effect.low:.3f}, +{effect.high:.3f}]"
    assert cells[6] == f"± {effect.detectable:.3f}"
    assert cells[7] == reading(effect) == "better"
    drawn = next(found for found in Page(answered).data["comparisons"][0]["rows"] if found[0] == "satellite")
    assert drawn[1:3] == ["category", effect.cases]
    assert drawn[3:7] == [round(effect.estimate, 5), round(effect.low, 5), round(effect.high, 5), effect.detectable]


def test_a_category_with_a_missing_answer_is_named(withheld):
    """It has no row, and the page says why."""
    assert "Not shown, because an answer is missing: topology, home automation," in Page(withheld).text


def test_made_up_values_come_first(answered):
    """Failures are listed by label, made-up values before all others, with the values themselves."""
    labels = Page(answered).text.split("Failures by label")[2]
    assert labels.index("made-up value") < labels.index("wrong")
    assert "port 9999" in labels
    shown = findings(*judged(make_run(faults=False)))
    assert next(iter(LABELS)) == next(iter(shown.labels)) == "made_up"


def test_failures_are_counted_as_cases_and_as_answers():
    """A number opens as many cases as it names: those that count, and have such an answer of this arm."""
    run = make_run(faults=False, repeats=2)
    made = page(*judged(run))
    counting = {case.id for case in run.cases if case.counts}
    several = False
    for number, arm in enumerate((BASE, ENRICHED)):
        answers = [
            r for r in run.replies if r.arm == arm and r.case in counting and r.score and r.score.label == "wrong"
        ]
        of_cases = len({reply.case for reply in answers})
        assert of_cases <= len(answers)
        several |= of_cases < len(answers)
        button = f'data-label="wrong" data-arm="{number}" data-kind="counts">{of_cases} cases</button>'
        assert f"{button}<small>{len(answers)} answers</small>" in made
    assert several


def test_a_tier_is_told_from_a_category_of_its_name():
    """Where each arm stands alone they are rows of one table."""
    run = make_run(faults=False, arms=(ENRICHED,))
    made = page(run, (), [arm_scores(run, ENRICHED)])
    assert '<th scope="row">tier gold</th>' in made
    assert '<th scope="row">gold</th>' not in made


def test_what_is_apart_is_in_no_headline(answered):
    """Generated cases, cases given away and judged answers have a part of their own."""
    apart = answered[answered.index('id="apart"') :]
    text = html.unescape(re.sub("<[^>]+>", " ", apart))
    assert "Generated cases 10 cases made from facts." in " ".join(text.split())
    assert "by example no-such-listener, fewshot/council.yaml:11" in text
    assert "an opinion, and in no score" in text
    kinds = [case[6] for case in Page(answered).data["cases"]]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"counts": 96, "generated": 10, "given away": 3}


def test_a_shown_case_counts_and_says_why():
    """An example may give a case away on purpose; the page has the reason."""
    run = make_run(faults=False)
    cases = [dataclasses.replace(c, shown="the format is the point") if c.given_away else c for c in run.cases]
    text = page(*judged(dataclasses.replace(run, cases=tuple(cases))))
    assert "it counts all the same: the format is the point" in text


def test_the_page_says_how_to_reproduce_it_and_keeps_keys_back():
    """Command, versions, models and seeds; nothing that is called a key, and no password in an address."""
    run = make_run(faults=False)
    model = {
        **run.models["coder-14b"],
        "api_key": "sk-ant-1",
        "headers": {"X": "sk-ant-2"},
        "base_url": "http://me:sk-ant-3@127.0.0.1:1338/v1",
        "params": {"max_tokens": 64, "auth_token": "sk-ant-4"},
    }
    judgement = judged(dataclasses.replace(run, models={"coder-14b": model}))
    text = Page(page(*judgement)).text
    for part in (
        run.command,
        "4be1d9c (clean)",
        "sha256:51c09a77",
        "3.11.7",
        "max_tokens 64",
        "http://127.0.0.1:1338/v1",
    ):
        assert part in text
    for form in ("json", "markdown", "junit"):
        assert "sk-ant" not in export(*judgement, form)
    assert "sk-ant" not in page(*judgement)


def test_a_run_that_was_cut_short_says_why():
    """Above every score."""
    run = dataclasses.replace(make_run(faults=False), stopped="the budget of $0.05 is spent", finished="")
    text = page(*judged(run))
    assert text.index("Cut short: the budget of $0.05 is spent") < text.index('id="overall"')
    running = page(*judged(dataclasses.replace(run, stopped="")))
    assert "The run is not finished." in running


def test_one_arm_is_no_comparison():
    """Its scores stand there with their intervals; there is no verdict."""
    run = make_run(faults=False, arms=(ENRICHED,))
    text = Page(page(run, (), [arm_scores(run, ENRICHED)])).text
    assert "enriched · coder-14b: nothing to compare it with" in text
    assert "Each arm on its own" in text
    assert "Fixed and broken" not in text


def test_a_run_without_cases_has_a_page():
    """Nothing was asked, and the page says that."""
    run = dataclasses.replace(make_run(), cases=(), replies=())
    text = Page(page(*judged(run))).text
    assert "Nothing is missing: all 0 requests were answered." in text


def test_several_comparisons_share_a_page():
    """The first is the headline, the others are named below it and folded further down."""
    run = make_run(faults=False, arms=(BASE, ENRICHED, NO_FEW_SHOT))
    text = page(*judged(run))
    assert "base → without few-shot" in Page(text).text
    assert text.count("<summary>base → without few-shot</summary>") == 2
    assert [entry["name"] for entry in Page(text).data["comparisons"]] == ["base → enriched", "base → without few-shot"]


def test_the_lines_that_held_a_fact_are_shown():
    """With the agent and the variant, the file and the line, and the text where it is known."""
    run, comparisons, scores = judged(make_run(faults=False))
    asked: list[Held] = []

    def explain(held: Held) -> str:
        asked.append(held)
        return f"| mini | 1337 | {PRIVATE_NAME} |"

    text = page(run, comparisons, scores, explain=explain)
    assert len(asked) >= len(set(asked)) > 20
    case = next(case for case in Page(text).data["cases"] if case[0] == "topology-001")
    assert case[9] == [
        ["quigon · enriched · line 13", "knowledge/ports.yaml:5", "ports/mini:42069", f"| mini | 1337 | {MASK} |"]
    ]


def test_the_page_works_without_scripts(withheld):
    """Everything but filtering and the drawings: the cases of most interest stand in the page, those that broke first."""
    start = withheld.index("<noscript>")
    plain = html.unescape(withheld[start : withheld.index("</noscript>")])
    assert plain.index("satellite-024") < plain.index("satellite-000")
    assert "Question: " in plain
    assert "all: 42069" in plain
    assert plain.count("<details") == 109
    big = page(*judged(make_run(cases=300)))
    assert "150 more are in the page's data: promptforge report --format json." in big


def test_the_page_can_be_used_by_keyboard_and_read_aloud(answered):
    """A skip link, headings for parts, captions and scopes for tables, a language, and no heading left out."""
    found = Page(answered)
    assert found.tags[[name for name, _ in found.tags].index("a")][1]["href"] == "#verdict"
    assert dict(found.tags)["html"]["lang"] == "en"
    for name, attributes in found.tags:
        if name == "section":
            assert attributes["aria-labelledby"] in found.ids
        if name == "th":
            assert attributes["scope"] in ("col", "row", "rowgroup")
    names = [name for name, _ in found.tags]
    assert names.count("table") == names.count("caption")
    assert names.count("h1") == 1
    assert len(found.ids) == len(set(found.ids))


def test_links_lead_to_what_is_there(answered):
    """Each link of the page leads into the page."""
    found = Page(answered)
    for name, attributes in found.tags:
        if name == "a":
            target = attributes["href"].removeprefix("#")
            assert target in found.ids or attributes.get("data-open")


# --- complete in itself ------------------------------------------------------------------------------------------------


def test_nothing_is_loaded(answered):
    """No element names an address outside, and the policy forbids every one."""
    found = Page(answered)
    for name, attributes in found.tags:
        assert name not in ("link", "img", "iframe", "object", "embed", "base", "form", "video", "audio")
        for key, value in attributes.items():
            assert not key.startswith("on")
            assert key not in ("src", "style", "action", "srcset")
            assert key != "href" or value.startswith("#")
    assert "url(" not in (ASSETS / "page.css").read_text()
    assert "@import" not in (ASSETS / "page.css").read_text()


def test_the_policy_allows_the_scripts_of_the_page_by_their_hashes_alone(answered):
    """A script that was smuggled in has no hash, so it does not run."""
    found = Page(answered)
    policy = next(
        a["content"] for n, a in found.tags if n == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    directives = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    assert set(directives) == {"default-src", "script-src", "style-src", "base-uri", "form-action"}
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == ["'none'"]
    own = [text for attributes, text in found.scripts if attributes["name"] == "script" and not attributes.get("type")]
    assert directives["script-src"] == [hash_of(text) for text in own]
    assert all(source.startswith("'sha256-") for source in directives["style-src"])
    assert (
        hash_of(next(text for attributes, text in found.scripts if attributes["name"] == "style"))
        in directives["style-src"]
    )


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_charting_library_is_the_published_one():
    """Byte for byte, with its licence beside it."""
    digests = dict(
        re.findall(r"^(\S+\.min\.js) .*?([0-9a-f]{64})$", (ASSETS / "VENDORED.md").read_text(), re.MULTILINE)
    )
    scripts = {entry.name for entry in ASSETS.iterdir() if entry.name.endswith(".min.js")}
    assert set(digests) == scripts
    for name, digest in digests.items():
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == digest
        licence = (ASSETS / f"{name.partition('-')[0]}-LICENSE.txt").read_text()
        assert "Permission to use, copy, modify, and/or distribute this software" in licence


def test_texts_reach_the_page_as_texts():
    """The script makes no markup of strings."""
    script = (ASSETS / "page.js").read_text()
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "DOMParser",
        "fetch(",
    ):
        assert word not in script


def test_script_and_data_agree_on_the_order():
    """The script reads cases and replies by position."""
    script = (ASSETS / "page.js").read_text()
    found = findings(*judged(make_run()))
    case = next(case_rows(found))
    for names, entry in (("ID, ", case), ("ARM, ", case[11][0])):
        positions = re.search(rf"const \[{names}([A-Z_, ]+)\] = Array\((\d+)\)", script)
        assert int(positions[2]) == len(entry) == len(positions[1].split(", ")) + 1
    assert set(payload(found)) == {"arms", "agents", "categories", "states", "labels", "comparisons"}


def test_the_same_run_makes_the_same_page(answered):
    """No clock, no chance."""
    assert page(*judged(make_run(faults=False))) == answered


# --- hostile texts -----------------------------------------------------------------------------------------------------


def hostile_run() -> Run:
    """A run in which whatever a model or a person wrote is hostile."""
    run = with_answer(make_run(cases=24), HOSTILE)
    case = dataclasses.replace(
        run.cases[0],
        question=HOSTILE,
        expected=(HOSTILE,),
        given_away=HOSTILE,
        file=HOSTILE,
        generated=False,
        shown=HOSTILE,
    )
    held = Held(agent="windu", variant="enriched", line=3, file=HOSTILE, file_line=1, fact=HOSTILE)
    case = dataclasses.replace(case, held=(held,))
    first = run.replies[0]
    score = dataclasses.replace(
        first.score, value=0.0, label="made_up", broken=(HOSTILE,), made_up=(HOSTILE,), checks=(("all", 0.0, HOSTILE),)
    )
    broken = dataclasses.replace(run.replies[1], state="failed", message=HOSTILE, score=None, answer=None)
    reply = dataclasses.replace(first, score=score, judged=0.5, judged_why=HOSTILE, inherited=HOSTILE)
    return dataclasses.replace(
        run,
        cases=(case, *run.cases[1:]),
        replies=(reply, broken, *run.replies[2:]),
        notes=(HOSTILE,),
        stopped=HOSTILE,
        command=HOSTILE,
        environment={"git commit": HOSTILE},
    )


def test_hostile_text_stays_text():
    """Whatever a model writes is shown, and is no element, no script and no end of one."""
    run, comparisons, scores = judged(hostile_run())
    comparisons[0] = dataclasses.replace(
        comparisons[0],
        verdict=dataclasses.replace(comparisons[0].verdict, sentence=HOSTILE, reasons=(HOSTILE,), next_step=HOSTILE),
        unpaired=(HOSTILE,),
    )
    text = page(run, comparisons, scores, explain=lambda held: HOSTILE)
    text.encode("utf-8")
    found = Page(text)
    assert sum(name == "script" for name, _ in found.tags) == 5
    assert not any(name == "img" for name, _ in found.tags)
    assert not any(key.startswith("on") for _, attributes in found.tags for key in attributes)
    assert text.count("</script>") == 5
    assert text.count("</noscript>") == 1
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text)
    for block in re.findall(r'<script type="application/json" id="\w+">(.*?)</script>', text, re.DOTALL):
        assert not set("<>&\u2028\u2029") & set(block)
    assert found.data["cases"][0][11][0][6] == legible(HOSTILE)
    assert "⟨U+202E⟩gnp.exe ⟨U+D800⟩" in found.text


@tries(100)
@given(st.text())
def test_any_text_comes_back_from_the_markup(text):
    """What `tag` writes, as text or as an attribute, an HTML parser reads back as it was, but for what is not seen."""
    found = Page(tag("p", text, title=text))
    assert "".join(found.words) == legible(text)
    assert found.tags == [("p", {"title": legible(text)})]


@tries(100)
@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_any_data_comes_back_from_its_block(data):
    """What the script parses is what was put in."""
    block = data_block("data", data)
    inner = block.removeprefix('<script type="application/json" id="data">').removesuffix("</script>")
    assert not set("<>&\u2028\u2029") & set(inner)
    assert json.loads(inner) == data


def test_markup_is_made_of_parts():
    """Nested parts, nothing for None, attributes with and without a value."""
    parts = tag(
        "div", [tag("b", "x"), None, 3], ("&",), class_="one", hidden=True, title=None, open=False, aria_label="<"
    )
    assert parts == '<div class="one" hidden aria-label="&lt;"><b>x</b>3&amp;</div>'
    assert tag("br") == "<br>"
    assert isinstance(parts, Markup)


def test_a_huge_answer_is_cut_with_a_note():
    """20,000 characters of an answer, and how many are not there."""
    run = with_answer(make_run(faults=False), "x" * 1_000_000)
    text = page(*judged(run))
    reply = Page(text).data["cases"][0][11][0]
    assert (len(reply[6]), reply[7]) == (ANSWER_LIMIT, 980_000)
    assert "999,400 characters more" in text
    assert len(text) < 2_000_000


@tries(100)
@given(st.lists(st.integers(0, 3000), max_size=30), st.integers(0, 20_000))
def test_all_answers_together_stay_below_the_limit(lengths, whole):
    """And no answer is cut where that is not needed."""
    limit = shared_limit(lengths, whole)
    assert sum(min(length, limit) for length in lengths) <= max(whole, len(lengths))
    assert sum(lengths) > whole or all(length <= limit for length in lengths)


# --- private values ----------------------------------------------------------------------------------------------------

MACS = (
    "00:00:5E:00:53:21",
    "00-00-5E-00-53-21",
    "00-00-5e-00-53-21",
    "0000.5e00.5321",
    "00005E005321",
    "00005e-005321",
    "0:0:5e:0:53:21",
    "00 00 5E 00 53 21",
    "`00:00:5E`:`00:53:21`",
    "００:００:５Ｅ:００:５３:２１",
    "00\u200b:00:5E:00:53:21",
)


@pytest.mark.parametrize("written", MACS)
@pytest.mark.parametrize("asked", MACS[:7])
def test_a_mac_is_hidden_in_every_spelling(asked, written):
    """However the fact spells it, and however the answer does."""
    assert Redactor([asked])(f"地址是{written}吗? See {written}.").count(MASK) == 2


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        ("Mara's laptop", "It is MARA’S  LAPTOP, at home.", f"It is {MASK}, at home."),
        ("1337", "port 1,337 or :1337, not 11337 or 13370", f"port {MASK} or :{MASK}, not 11337 or 13370"),
        ("22", "2, 2 and 22 and 2.2", f"2, 2 and {MASK} and {MASK}"),
        ("192.0.2.10", "at 192.0.2.10:8080, not 192.0.2.101", f"at {MASK}:8080, not 192.0.2.101"),
        ("2001:db8::1", "[2001:0DB8:0:0:0:0:0:0001]:80, 2001:db8:0:0::1.", f"[{MASK}]:80, {MASK}."),
        ("media_player.den", "Media player den; media_player_den", f"{MASK}; {MASK}"),
        ("Émile", "e\u0301mile, EMILE and Emiles", f"{MASK}, {MASK} and Emiles"),
        ("***", "stars *** here", f"stars {MASK} here"),
        ("windu", "windu is no window, windu2 is", f"{MASK} is no window, {MASK}2 is"),
        ("", "nothing", "nothing"),
        (" ", "a b", "a b"),
    ],
)
def test_a_value_is_hidden_as_a_whole_word(value, text, shown):
    """Case, accents and separators do not matter; longer words that only hold it do not count."""
    assert Redactor([value])(text) == shown


@tries(300)
@given(st.text(" .,:;«»|\n"), st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4), st.text(" .,:;«»|\n"))
def test_no_value_survives(before, values, after):
    """Whatever the values and what stands around them; and without values nothing changes."""
    text = before + " ; ".join(values) + after
    hidden = Redactor(values)(text)
    assert Redactor([])(text) == text
    for value in values:
        assert value not in hidden or not any(character.isalnum() for character in value), hidden


@tries(100)
@given(st.ip_addresses(v=6), st.booleans(), st.text("x ,.\n"))
def test_no_address_survives(address, exploded, around):
    """Whatever is left out of it."""
    asked, written = (address.exploded, address.compressed) if exploded else (address.compressed, address.exploded)
    assert written not in Redactor([asked])(f"{around} {written}{around}")


def test_nothing_private_leaves_in_any_form():
    """Neither in the page nor in an export, in any field, unless it is asked for."""
    run, comparisons, scores = judged(private_run())
    shapes = {
        "html": page(run, comparisons, scores, explain=lambda held: f"| {PRIVATE_MAC} |"),
        **{form: export(run, comparisons, scores, form) for form in ("json", "markdown", "junit")},
    }
    for form, text in shapes.items():
        told = html.unescape(text).casefold()
        for spelling in (PRIVATE_MAC, PRIVATE_MAC.replace(":", "-"), PRIVATE_MAC.replace(":", ""), PRIVATE_NAME):
            assert spelling.casefold() not in told, form
        assert MASK in text, form
    assert "Private values are shown as ▒▒▒. With them: promptforge report --include-private" in shapes["html"]


def private_run() -> Run:
    """A run whose every text holds private values."""
    run = make_run(cases=24)
    told = f"{PRIVATE_NAME} has {PRIVATE_MAC.replace(':', '-')}"
    replies = [
        dataclasses.replace(reply, message=told, judged_why=told, inherited=told)
        if reply.answer is None
        else with_answer(run, told, at=place).replies[place]
        for place, reply in enumerate(run.replies)
    ]
    cases = [
        dataclasses.replace(case, id=f"{case.id} {told}", question=told, expected=(told,), given_away=told, shown=told)
        for case in run.cases
    ]
    names = {case.id: renamed.id for case, renamed in zip(run.cases, cases, strict=True)}
    replies = [dataclasses.replace(reply, case=names[reply.case]) for reply in replies]
    environment = {**run.environment, "folder": told}
    return dataclasses.replace(
        run, cases=tuple(cases), replies=tuple(replies), notes=(told,), command=told, environment=environment
    )


def test_private_values_are_shown_when_they_are_asked_for():
    """And the page warns of it."""
    run, comparisons, scores = judged(make_run())
    text = page(run, comparisons, scores, include_private=True)
    assert "This page shows private values. Do not pass it on." in text
    assert PRIVATE_MAC in text
    assert MASK not in text
    assert PRIVATE_MAC in to_json(run, comparisons, scores, include_private=True)
    assert json.loads(to_json(run, comparisons, scores, include_private=True))["run"]["private"] == "included"


def test_a_case_hides_its_own_private_values():
    """Even where the run does not list them."""
    run = dataclasses.replace(make_run(), private_values=())
    assert PRIVATE_MAC not in page(*judged(run))


def test_a_public_run_says_nothing_of_privacy():
    """No note where there is nothing to hide."""
    run = make_run()
    cases = tuple(dataclasses.replace(case, private=()) for case in run.cases)
    assert "Private values" not in page(*judged(dataclasses.replace(run, private_values=(), cases=cases)))


# --- for programs ------------------------------------------------------------------------------------------------------


def test_json_has_everything_a_program_needs():
    """Version 1: the arms with scores and costs, the comparisons, the cases, and the replies unless left out."""
    run, comparisons, scores = judged(make_run(faults=False))
    data = json.loads(to_json(run, comparisons, scores))
    assert data["version"] == 1
    assert set(data) == {"version", "run", "arms", "comparisons", "sections", "labels", "cases", "replies"}
    assert data["arms"][1]["name"] == "enriched · coder-14b"
    assert data["arms"][1]["score"]["overall"]["low"] == scores[1].overall.low
    assert data["arms"][1]["spent"]["requests"] == 122
    assert data["comparisons"][0]["overall"]["estimate"] == comparisons[0].overall.estimate
    assert data["comparisons"][0]["verdict"]["word"] == "better"
    assert data["comparisons"][0]["categories"]["family"]["cases"] == comparisons[0].categories["family"].cases
    assert data["cases"][0]["scores"] == {"base · coder-14b": 0.0, "enriched · coder-14b": 0.5}
    assert data["replies"][0]["answer"]["usage"]["output_tokens"] > 0
    assert "replies" not in json.loads(to_json(run, comparisons, scores, replies=False))


def test_json_has_no_number_that_json_lacks():
    """An infinite bound is null; half a character is a question mark."""
    run, comparisons, scores = judged(with_answer(make_run(faults=False), "half \ud800"))
    effect = dataclasses.replace(comparisons[0].overall, high=float("inf"))
    text = to_json(run, [dataclasses.replace(comparisons[0], overall=effect)], scores)
    data = json.loads(text.encode("utf-8"), parse_constant=pytest.fail)
    assert data["comparisons"][0]["overall"]["high"] is None
    assert data["replies"][0]["answer"]["text"] == "half ?"


def test_words_of_the_program_are_no_private_values():
    """A private fact that is called like a state or a category does not spoil the export."""
    run = dataclasses.replace(make_run(), private_values=("answered", "family", "windu"))
    data = json.loads(to_json(*judged(run)))
    assert {"answered", "failed"} <= {reply["state"] for reply in data["replies"]}
    assert "family" in {case["category"] for case in data["cases"]}


def test_markdown_is_a_comment_for_a_pull_request():
    """Verdict, what is unanswered, what broke and was fixed with file and line, and the cost."""
    text = to_markdown(*judged(make_run()))
    assert text.startswith("## carmack-v2: withheld\n")
    assert "### ⛔ 5 requests not answered" in text
    assert (
        "- `satellite-024` `suites/carmack-v2.yaml:178`: 1.000 → 0.000, now made-up value ← `knowledge/ports.yaml:28`"
        in text
    )
    assert "#### ▲ Fixed: 56" in text
    assert "Asked 218 requests, answered 213, took over 26; $0.0437;" in text
    assert text.index("not answered") < text.index("Broke") < text.index("Fixed") < text.index("Categories")
    named = to_markdown(*judged(make_run(faults=False, arms=(BASE, ENRICHED, NO_FEW_SHOT))))
    assert "### base → without few-shot" in named
    run = make_run(faults=False, arms=(BASE,))
    assert re.search(
        r"- base · coder-14b: 0\.\d{3} \[0\.\d{3}, 0\.\d{3}\], n = 95", to_markdown(run, (), [arm_scores(run, BASE)])
    )


def test_arms_that_send_the_same_are_one_account():
    """What several arms share is one request: text, markdown and page name the same numbers, and pay for it once."""
    run = make_run(faults=False, arms=(BASE, ENRICHED, NO_FEW_SHOT))
    alike = {(r.case, r.agent, r.repeat): r for r in run.replies if r.arm == ENRICHED}
    replies = tuple(
        dataclasses.replace(alike[r.case, r.agent, r.repeat], arm=NO_FEW_SHOT) if r.arm == NO_FEW_SHOT else r
        for r in run.replies
    )
    run = dataclasses.replace(run, replies=replies)
    found = account(run)
    assert found.shared == found.replies - found.requests > 0
    assert found.asked + found.inherited == found.requests
    said = (
        f"took over {found.inherited:,}, {found.shared:,} more answered by the same requests; ${found.spent_usd:.4f};"
    )
    assert f"Asked {found.asked:,} requests, {said}" in to_markdown(*judged(run))
    text = Page(page(*judged(run))).text
    assert f"Nothing is missing: all {found.requests:,} requests were answered." in text
    assert f"They stand for {found.replies:,} answers: what several arms send alike is sent once." in text
    assert "What several arms send alike was sent once, and stands in the column of each." in text


def test_markdown_groups_what_is_unanswered_by_its_reason():
    """A server that is down says the same of all; what was not sent because of it stands apart."""
    run = make_run(faults=False)
    lost = {"state": "failed", "answer": None, "score": None, "fault": "not_json", "message": "it sent a web page"}
    asked, rest = run.replies[:3], run.replies[3:]
    replies = [dataclasses.replace(reply, **lost, inherited="") for reply in asked]
    replies += [
        dataclasses.replace(r, **{**lost, "message": "not sent: it sent a web page"}, inherited="")
        for r in rest
        if r.state != "not_applicable"
    ]
    run = dataclasses.replace(run, replies=tuple(replies))
    text = to_markdown(*judged(run))
    assert "- 3 × it sent a web page: " in text
    assert f"- {len(replies) - 3:,} × not sent because of that: " in text
    assert text.count("it sent a web page") == 1
    assert (
        f"{len(replies):,} got no answer ({len(replies) - 3:,} of them were not sent)" in Page(page(*judged(run))).text
    )


def test_what_a_server_said_is_shown_in_words():
    """A run keeps it as one text."""
    run = make_run(faults=False)
    models = {name: {**entry, "says": "[('models', 'm, n'), ('version', '1')]"} for name, entry in run.models.items()}
    text = Page(page(*judged(dataclasses.replace(run, models=models)))).text
    assert "models m, n, version 1" in text
    assert "[('models'" not in text
    odd = {name: {**entry, "says": "[(odd"} for name, entry in run.models.items()}
    assert "[(odd" in Page(page(*judged(dataclasses.replace(run, models=odd)))).text


def test_markdown_stays_below_the_limit_of_a_comment():
    """However much broke and whatever it is called."""
    run, comparisons, scores = judged(make_run(cases=900))
    notes = tuple(f"{number} {'x' * 400}" for number in range(300))
    text = to_markdown(dataclasses.replace(run, notes=notes), comparisons, scores)
    assert len(text.encode()) < 65_536
    assert text.endswith("… cut here: the whole is in the report.\n")


def test_markdown_means_nothing_in_a_text():
    """A name, a message or a note cannot mention anybody, add a heading or close a block."""
    text = to_markdown(*judged(hostile_run()))
    outside = re.sub("`[^`]*`", "", re.sub(r"\\.", "", text))
    assert "@everyone" not in outside
    assert not re.search(r"<(?!/?(?:details|summary|sub)\b)", outside)


def test_junit_is_xml_with_errors_failures_and_costs():
    """Unanswered is an error, wrong a failure, barred is skipped; the sums agree, and the cost is a property."""
    run = hostile_run()
    root = ElementTree.fromstring(to_junit(run).encode("utf-8"))
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [
        "carmack-v2 · base · coder-14b",
        "carmack-v2 · enriched · coder-14b",
    ]
    for suite in suites:
        tests = suite.findall("testcase")
        assert len(tests) == int(suite.get("tests"))
        for name, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert sum(test.find(name) is not None for test in tests) == int(suite.get(count))
        assert float(suite.find("properties/property[@name='cost_usd']").get("value")) > 0
    failure = suites[0].find("testcase/failure")
    assert failure.get("type") == "made_up"
    assert "</script><script>alert(1)" in failure.text
    assert "\x00" not in failure.text
    error = suites[0].find("testcase/error")
    assert "onerror" in error.get("message")


def test_junit_names_repeats_and_places():
    """So that a CI server can tell two of them apart and point at the suite."""
    root = ElementTree.fromstring(to_junit(make_run(cases=20, repeats=2)))
    tests = root.findall("testsuite/testcase")
    assert [test.get("name") for test in tests[:2]] == ["satellite-000 [windu] #1", "satellite-000 [windu] #2"]
    assert (tests[0].get("file"), tests[0].get("line")) == ("suites/carmack-v2.yaml", "10")
    assert tests[0].get("classname") == "carmack-v2.satellite"
    assert {test.get("classname").rpartition(".")[2] for test in tests} >= {"generated", "given-away"}


def test_an_unknown_form_is_the_callers_mistake():
    """The command line offers no other."""
    with pytest.raises(ValueError, match="json, markdown or junit, not pdf"):
        export(*judged(make_run(cases=8)), "pdf")


# --- what was counted --------------------------------------------------------------------------------------------------


def test_what_an_arm_cost_is_summed():
    """Tokens, money and time from the answers; what an earlier run paid is apart; no price is no zero."""
    run = make_run(faults=False)
    spent = findings(run).spent[ENRICHED]
    answers = [reply for reply in run.replies if reply.arm == ENRICHED and reply.answer]
    assert spent.output_tokens == sum(reply.answer.usage.output_tokens for reply in answers)
    assert spent.cost_usd == pytest.approx(sum(reply.cost_usd for reply in answers))
    assert spent.spent_usd == pytest.approx(sum(reply.cost_usd for reply in answers if not reply.inherited))
    assert spent.inherited == sum(bool(reply.inherited) for reply in answers) > 0
    median, high = spent.latency_s
    assert sum(reply.answer.latency_s <= median for reply in answers) == pytest.approx(len(answers) / 2, abs=1)
    assert sum(reply.answer.latency_s <= high for reply in answers) == pytest.approx(len(answers) * 0.95, abs=1)
    assert 38 < spent.tokens_per_s < 52
    bare = dataclasses.replace(run, replies=tuple(dataclasses.replace(reply, cost_usd=None) for reply in run.replies))
    assert findings(bare).spent[ENRICHED].cost_usd is None
    assert findings(bare).spent[ENRICHED].unpriced == len(answers)
    assert "answers have no price, and the sums leave them out" in page(*judged(bare))


def test_names_of_arms_are_as_short_as_they_may_be():
    """What all arms share is left out."""
    run = make_run(arms=(BASE, ENRICHED))
    other = Arm(model="opus", variant="enriched", revision="main")
    assert findings(run).names == {str(BASE): "base", str(ENRICHED): "enriched"}
    assert findings(dataclasses.replace(run, arms=(ENRICHED,), replies=())).names == {str(ENRICHED): str(ENRICHED)}
    both = findings(dataclasses.replace(run, arms=(ENRICHED, other), replies=())).names
    assert both == {str(ENRICHED): "coder-14b", str(other): "opus · main"}


def test_of_the_reader_it_is_never_said_that_it_is_better():
    """It is no model: more or fewer answers are found, and that is all, in every form."""
    run = make_run(faults=False)
    run = dataclasses.replace(run, models={"coder-14b": {"backend": "reader", "tier": "local"}})
    judgement = judged(run)
    text = page(*judgement)
    seen = Page(text).text
    assert "no model base → enriched" in seen
    assert "▲ better" not in seen
    assert ">better</td>" not in text
    assert ">more found</td>" in text
    assert Page(text).data["comparisons"][0]["ends"] == ["fewer found", "more found"]
    assert {row[-1] for row in Page(text).data["comparisons"][0]["rows"]} <= {
        "more found",
        "not shown",
        "too few differ",
    }
    assert "The reader is no model" in seen
    comment = to_markdown(*judgement)
    assert comment.startswith("## carmack-v2: no model")
    assert "| more found |" in comment
    assert "| better |" not in comment


def test_the_reading_of_a_difference_is_careful():
    """Too few, not shown, or a word; corrected where it is one of several."""
    effect = compare(make_run(faults=False), BASE, make_run(faults=False), ENRICHED).overall
    assert reading(effect) == "better"
    assert reading(dataclasses.replace(effect, estimate=-0.2)) == "worse"
    assert reading(dataclasses.replace(effect, p_adjusted=0.2)) == "not shown"
    assert reading(dataclasses.replace(effect, too_few=True)) == "too few differ"
    assert reading(dataclasses.replace(effect, differing=0, too_few=True)) == "nothing differs"


def test_the_smallest_difference_agrees_with_the_reading():
    """It is never none beside a word that says that one is shown."""
    effect = compare(make_run(faults=False), BASE, make_run(faults=False), ENRICHED).overall
    unseen = dataclasses.replace(effect, detectable=None)
    assert could_show(effect) == f"± {effect.detectable:.3f}"
    assert could_show(unseen) == "shown; at this discordance no smaller one could be"
    assert could_show(dataclasses.replace(unseen, p_adjusted=0.2)) == "none"
    assert could_show(dataclasses.replace(unseen, too_few=True)) == "none"


def changed_judgement(**overall):
    """A judgement whose overall effect, and first category, have these values."""
    run, comparisons, scores = judged(make_run(faults=False))
    first = comparisons[0]
    name, effect = next(iter(first.categories.items()))
    categories = {**first.categories, name: dataclasses.replace(effect, **overall)}
    effect = dataclasses.replace(first.overall, **overall)
    return run, [dataclasses.replace(first, overall=effect, categories=categories)], scores


def test_where_nothing_differs_no_interval_is_shown():
    """In the figures, the table, the drawing and the comment; only JSON has its bounds."""
    same = changed_judgement(differing=0, too_few=True, estimate=0.0, low=-1.0, high=1.0, p=1.0, detectable=None)
    text = page(*same)
    assert "[−1.000, +1.000]" not in text
    assert "Difference 0.000 nothing differs" in Page(text).text
    assert ">nothing differs</td>" in text
    row = Page(text).data["comparisons"][0]["rows"][0]
    assert row[3:] == [0.0, None, None, None, "nothing differs"]
    comment = to_markdown(*same)
    assert "−1.000" not in comment
    assert re.search(r"\| 0\.000 \|  \| 1\.000 \|  \| nothing differs \|", comment)


def test_a_shown_difference_has_no_band_of_the_unseen():
    """The page says why no smaller one could be shown, and draws a band only where nothing is shown."""
    text = page(*changed_judgement(detectable=None))
    seen = Page(text).text
    assert "Could show from shown at this discordance no smaller one could be" in seen
    assert '<td class="number words">shown; at this discordance no smaller one could be</td>' in text
    script = (ASSETS / "page.js").read_text()
    assert "Plot.barX(rows.filter((r) => r.can !== null || !r.shown)" in script


def test_an_adjusted_p_is_called_so():
    """In the comment: a category has the adjusted one, the whole its own."""
    run, comparisons, scores = judged(make_run(faults=False))
    comment = to_markdown(run, comparisons, scores)
    assert "| 95 % interval | p | adjusted p | reading |" in comment
    rows = {line.split(" | ")[0]: line.split(" | ") for line in comment.splitlines() if line.startswith("| ")}
    assert rows["| **OVERALL**"][7] == ""
    effect = comparisons[0].categories["family"]
    assert rows["| family"][6:8] == ["", f"{effect.p_adjusted:.3f}"]


def test_bounds_that_are_not_zero_are_not_rounded_to_it():
    """As in the text."""
    assert interval(0.0002, 0.05, differences=True) == "[+0.0002, +0.0500]"
    assert interval(0.0, 0.05, differences=True) == "[0.000, +0.050]"
