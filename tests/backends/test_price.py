"""What a request costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.backends.base import Usage
from promptforge.backends.price import cost_usd
from strategies import tries

OPUS = {"input": 5, "output": 25, "cached_input": 0.5}
tokens = st.integers(0, 10**7)
prices = st.fixed_dictionaries({name: st.floats(0, 1000) for name in ("input", "output", "cached_input")})


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (Usage(input_tokens=1_000_000, output_tokens=0), 5.0),
        (Usage(input_tokens=0, output_tokens=1_000_000), 25.0),
        (Usage(input_tokens=1_000_000, output_tokens=0, cached_tokens=1_000_000), 0.5),
        (Usage(input_tokens=1_000_000, output_tokens=0, cache_write_tokens=1_000_000), 6.25),
        (Usage(input_tokens=5141, output_tokens=6, cached_tokens=0, cache_write_tokens=5120), 0.032255),
        (Usage(input_tokens=5154, output_tokens=6, cached_tokens=5140, cache_write_tokens=0), 0.00279),
    ],
)
def test_costs(usage, dollars):
    """By hand: fresh input, cached input, cache writes at a quarter more, output; per million."""
    assert cost_usd(usage, OPUS) == pytest.approx(dollars, rel=1e-12)


@pytest.mark.parametrize(
    ("usage", "price"),
    [
        (None, OPUS),
        (Usage(), OPUS),
        (Usage(input_tokens=5), OPUS),
        (Usage(output_tokens=5), OPUS),
        (Usage(input_tokens=5, output_tokens=5), None),
        (Usage(input_tokens=5, output_tokens=5), {}),
        (Usage(input_tokens=5, output_tokens=5), {"input": 5}),
        (Usage(input_tokens=5, output_tokens=5), {"output": 5}),
    ],
)
def test_what_is_not_known_is_not_free(usage, price):
    assert cost_usd(usage, price) is None


def test_a_price_of_nothing_is_nothing():
    assert cost_usd(Usage(input_tokens=5, output_tokens=5), {"input": 0, "output": 0}) == 0


@tries(200)
@given(tokens, tokens, tokens, tokens, prices)
def test_a_cost_is_between_its_bounds(fresh, read, write, output, price):
    """Never negative, and never more than all of it at its dearest."""
    usage = Usage(input_tokens=fresh + read + write, output_tokens=output, cached_tokens=read, cache_write_tokens=write)
    dollars = cost_usd(usage, price)
    dearest = max(1.25 * price["input"], price["cached_input"], price["output"])
    assert dollars is not None
    assert 0 <= dollars <= (fresh + read + write + output) * dearest / 1e6 * (1 + 1e-9)
