"""The facts of the last build, from its lock: each value is what it was."""

from hypothesis import given
from hypothesis import strategies as some

from promptforge.artifact import record_values
from promptforge.document import Decimal, plain_value
from promptforge.workbench.formerly import _value

PLAIN = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.text(max_size=12),
    some.sampled_from(["", "1337", '"', '"a"', "true", "null", "-", "1.10", "007", "10:22:33:44:55:10"]),
    some.sampled_from(["1.10", "-0.5"]).map(Decimal),
)


@given(some.one_of(PLAIN, some.lists(some.one_of(some.integers(), some.text(max_size=8)), max_size=3)))
def test_a_value_comes_back_from_the_lock(value):
    """Numbers are numbers again, texts that look like one are texts, and decimals are printed as they were."""
    back = _value(record_values({"a": value})["a"])
    assert (type(back), back, str(back)) == (type(value), value, str(value))


def test_plain_values_are_those_of_yaml():
    """What the lock has without quotes is read as a file's plain value is."""
    assert (_value("1337"), _value('"1337"'), _value("")) == (plain_value("1337"), "1337", "")
