"""Numbers of texts: what a dataset's order and its samples hang on, so they may never change."""

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from promptforge.dataset.keys import Keys
from strategies import tries


@given(start=st.binary(max_size=80), texts=st.lists(st.text(st.characters(), max_size=300), max_size=5))
@tries(100)
def test_a_number_is_a_keyed_hash_whatever_was_hashed_before(start: bytes, texts: list[str]):
    """Begun once and copied, it is what hashlib says of the text alone; half a character has a number, too."""
    keys = Keys(start)
    for text in [*texts, "\ud800"]:
        content = text.encode("utf-8", "surrogatepass")
        digest = blake2b(content, digest_size=8, key=start[:64]).digest()
        assert keys.of_text(text) == keys.of(content) == int.from_bytes(digest)
