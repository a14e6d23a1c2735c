"""The words that are looked for before the longest patterns: no turn of phrase does without them."""

import re
from collections.abc import Iterable
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

from promptforge.bench import absences, phrases
from promptforge.bench.refusal import WORDS_OF_ABSENCE, WORDS_OF_REFUSAL

_REPEATED = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


def _flat(items: Iterable[Any]) -> list[Any]:
    """The parts of a parsed pattern, groups opened and what must not follow left out."""
    found: list[Any] = []
    for kind, what in items:
        if kind is _constants.SUBPATTERN:
            found += _flat(what[3])
        elif kind is _constants.BRANCH:
            found.append((kind, [_flat(one) for one in what[1]]))
        elif kind in _REPEATED:
            found.append((kind, _flat(what[2]) if what[0] else []))
        elif kind is _constants.ASSERT:
            found.append((kind, _flat(what[1])))
        elif kind not in (_constants.ASSERT_NOT, _constants.AT):
            found.append((kind, what))
    return found


def _needs(items: list[Any], words: re.Pattern[str]) -> bool:
    """Whether nothing matches these parts without having one of the words in it."""
    said = ""
    for number, (kind, what) in enumerate(items):
        if kind is _constants.LITERAL:
            said += chr(what)
            if words.search(said):
                return True
            continue
        if kind is _constants.BRANCH:
            # What stands right before and behind belongs to each choice: `n(?:o|ever)`.
            before = [(_constants.LITERAL, ord(char)) for char in said]
            if all(_needs([*before, *one, *_letters(items[number + 1 :])], words) for one in what):
                return True
        if (kind in _REPEATED or kind is _constants.ASSERT) and _needs(what, words):
            return True
        said = ""
    return False


def _letters(items: list[Any]) -> list[Any]:
    until = next((n for n, (kind, _) in enumerate(items) if kind is not _constants.LITERAL), len(items))
    return items[:until]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [(phrases.WILL_NOT_DO, WORDS_OF_REFUSAL), (absences.ABSENT, WORDS_OF_ABSENCE)],
    ids=["refusal", "absence"],
)
def test_no_turn_of_phrase_does_without_the_words_that_are_looked_for_first(
    pattern: re.Pattern[str], words: re.Pattern[str]
) -> None:
    [(kind, (_, choices))] = _parser.parse(pattern.pattern)
    assert kind is _constants.BRANCH
    assert len(choices) > 5
    assert [number for number, one in enumerate(choices) if not _needs(_flat(one), words)] == []


def test_the_proof_sees_what_can_be_left_out() -> None:
    words = re.compile("not|never")
    proven = {
        one: _needs(_flat(_parser.parse(one)), words) for one in ("i (?:not|never) go", "n(?:ot|ever)", "(?:not)+")
    }
    assert all(proven.values())
    unproven = {
        one: _needs(_flat(_parser.parse(one)), words) for one in ("i (?:not)? go", "not|no", "n[ou]t", "(?!not)i")
    }
    assert not any(unproven.values())
