"""Compiled texts outlive their renderer: what is shared, and what is not."""

import pytest

from promptforge.compiler.scan import neutralise
from promptforge.model import Config, Project, Text
from promptforge.text import Renderer

MARKER = "<|im_start|>"


def rendered(source: str, clean) -> str:
    """A text of an empty project, by a renderer of its own."""
    project = Project(config=Config(name="hut"), tables={}, agents={}, examples=(), templates={})
    return Renderer(project, clean=clean).render(Text(source=source, file="x", line=1)).text


@pytest.mark.parametrize("order", [(str, neutralise), (neutralise, str)])
def test_a_constant_is_cleaned_by_its_own_renderer(order):
    """A constant is cleaned when its text is compiled: the code of one cleaner is no other one's."""
    source = f"{{{{ '{MARKER} {order[0].__name__}' }}}}"
    found = {clean: rendered(source, clean) for clean in order}
    assert MARKER in found[str]
    assert MARKER not in found[neutralise]


def test_many_texts_do_not_pile_up(monkeypatch):
    """Beyond the bound the kept code is let go, and texts render as before."""
    monkeypatch.setattr("promptforge.sandbox._MOST_CODE", 3)
    kept = {}
    monkeypatch.setattr("promptforge.sandbox._CODE", kept)
    assert [rendered(f"{{{{ {number} + 1 }}}}", str) for number in range(9)] == [str(n + 1) for n in range(9)]
    assert len(kept) <= 4
