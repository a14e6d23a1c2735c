"""The report of an audit: a page that is safe to open, a screenful of text, and JSON."""

import html.parser
import json

import pytest

from audited import audited, chat, mix, write
from promptforge.console.audit import audit_text
from promptforge.console.terminal import Painter
from promptforge.dataset.auditjson import audit_json
from promptforge.dataset.page import audit_page
from promptforge.tokens import load_tokenizer


@pytest.fixture
def third(tmp_path):
    rows = [*mix(76, 7, 0), chat("<script>alert(1)</script>", "</li><img src=x onerror=alert(2)>", kind="<b>lore</b>")]
    rows.append({"messages": [{"role": "<i>narrator</i>", "content": "x"}]})
    return audited(write(tmp_path / "train.jsonl", rows), tokenizer=load_tokenizer("estimate", root=tmp_path))


class Tags(html.parser.HTMLParser):
    """Every element and attribute of a page, and whether they are balanced."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """One is opened."""
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in ("meta", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        """One is closed."""
        assert self.open.pop() == tag


def test_a_page_holds_nothing_that_runs(third):
    text = audit_page(third, version="1.0")
    seen = Tags(text)
    assert not seen.open
    assert not {"script", "img", "iframe", "b"} - {"b"} & set(seen.tags)
    assert not [name for name in seen.attributes if name.startswith("on") or name in ("src", "style")]
    assert "default-src 'none'; style-src 'sha256-" in text.replace("&#x27;", "'")
    assert "&lt;b&gt;lore&lt;/b&gt;" in text


def test_a_page_draws_the_composition(third):
    text = audit_page(third)
    assert text.count("<svg") == 5
    assert "identity: 75.9%, at most 30%" in text
    assert "no jailbreak row among 1,001" in text
    assert "This set must not be trained on as it is." in text


def test_a_page_of_a_fine_set_says_so(tmp_path):
    text = audit_page(audited(write(tmp_path / "a.jsonl", mix(20, 55, 8))))
    assert "Nothing speaks against training on this set." in text


def test_the_text_is_a_screenful(third):
    text = audit_text(third, Painter(colour=False))
    lines = text.split("\n")
    assert lines[0] == "refused: 1,001 rows of 1 file, messages"
    assert lines[2].split() == ["identity", "75.9%", "760", "██████████████████████▊", "at", "most", "30%"]
    assert "✗  no jailbreak row among 1,001: nothing in this set teaches a model to refuse" in lines
    assert len(lines) < 50
    assert "\x1b[" in audit_text(third, Painter(colour=True))


def test_the_json_says_everything(third):
    found = json.loads(json.dumps(audit_json(third)))
    assert (found["version"], found["verdict"], found["rows"]) == (1, "refused", 1001)
    assert found["kinds"]["jailbreak"] == {"rows": 0, "share": 0.0, "least": 0.03, "most": 0.15}
    assert found["findings"][0]["rule"] == "kind.jailbreak.none"
    assert {limit["trainer"] for limit in found["tokens"]["limits"]} == {"mlx", "trl", "llamafactory"}
    assert found["files"][0]["set_aside"] == 1
