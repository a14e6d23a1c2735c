"""What is done in a quick way for speed finds what the plain way does."""

import re

from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import tries

from promptforge.bench.reading import sentences
from promptforge.bench.values import _pattern, _spans

_WORDS = st.sampled_from(
    (
        "nice",
        "a",
        "ab",
        "hub",
        "leet+1",
        "'s",
        "'tis",
        "_y",
        "*z",
        "端口",
        "port端",
        "ß",
        "1",
        "c++",
        "\\d",
        "vault",
        "..",
    )
)
_GAPS = st.sampled_from(("", " ", "-", "  ", " - ", "`", "*", "_", "'", "\\", "\n", "\u3000", ".", "++", "#2", ","))


def _joined(words: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    return st.lists(st.tuples(words, _GAPS).map("".join), min_size=1, max_size=most).map("".join)


@tries(150)
@given(st.data())
def test_a_value_is_found_where_its_pattern_finds_it(data: st.DataObject) -> None:
    value = data.draw(_joined(_WORDS, 2).map(str.strip).filter(bool), label="value")
    text = data.draw(_joined(_WORDS | st.just(value), 5), label="text")
    assert list(_spans(text, value)) == [found.span() for found in _pattern(value).finditer(text)]


def test_markup_and_every_kind_of_space_is_taken_from_around_a_sentence() -> None:
    spaces = "".join(char for char in map(chr, range(0x110000)) if re.match(r"\s", char))
    assert sentences(f"{spaces}> **(it runs)**{spaces}") == ("it runs",)
