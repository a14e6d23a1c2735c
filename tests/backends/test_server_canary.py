"""When the answers to the canary requests show two servers to be different, and when they do not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptforge.backends.canary import LEAST_GAP, CanaryAnswer, differences, different
from strategies import tries

SURE, TORN = math.log(0.98), math.log(0.5)


def said(*words: str, weights: list[float] | None = None, again: str | None = None, **more: object) -> CanaryAnswer:
    text = " ".join(words)
    return CanaryAnswer(
        question="Who are you?",
        text=text,
        again=text if again is None else again,
        tokens=words if weights else (),
        logprobs=tuple(weights) if weights else None,
        **more,
    )


PARIS = said("Paris", weights=[SURE])


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        pytest.param(said("a", "b"), said("a", "b"), False, id="the same words"),
        pytest.param(said("a", "b"), said("a", "c"), True, id="other words"),
        pytest.param(said("a", again="b"), said("c"), False, id="the first one is random"),
        pytest.param(said("c"), said("a", again="b"), False, id="the second one is random"),
        pytest.param(PARIS, said("Paris", weights=[SURE - 0.01]), False, id="a hair lighter"),
        pytest.param(PARIS, said("Paris", weights=[SURE - 0.3]), True, id="much lighter"),
        pytest.param(PARIS, said("Paris", weights=[SURE - 0.3], noise=0.1), False, id="no more than its noise"),
        pytest.param(PARIS, said("Windu", weights=[SURE]), True, id="both are sure of another word"),
        pytest.param(
            said("a", weights=[TORN]),
            said("b", weights=[TORN]),
            False,
            id="torn between two words, and one wins by a hair",
        ),
        pytest.param(
            said("x", "a", weights=[-0.2, TORN]),
            said("x", "b", weights=[-0.5, TORN]),
            True,
            id="lighter before the tie",
        ),
        pytest.param(
            said("a", "p", weights=[TORN, SURE]), said("b", "q", weights=[TORN, -3.0]), False, id="what follows a tie"
        ),
        pytest.param(PARIS, said("Paris"), False, id="one tells no weights, the words agree"),
        pytest.param(PARIS, said("Windu"), True, id="one tells no weights, the words differ"),
        pytest.param(said("a", weights=[SURE]), said("a", "b", weights=[SURE, SURE]), True, id="one goes on"),
        pytest.param(
            said("a", weights=[0.0]), said("b", weights=[0.0]), True, id="a server that says 0 of whatever it chose"
        ),
    ],
)
def test_what_shows_a_difference(one, other, shown):
    assert different([one], [other]) is shown
    assert different([other], [one]) is shown


def test_a_difference_says_what_it_is():
    """The question, what both said, and by how much a weight differs at least."""
    (found,) = differences([PARIS], [said("Windu", weights=[SURE])])
    assert (found.question, found.before, found.after) == ("Who are you?", "Paris", "Windu")
    assert found.gap == pytest.approx(SURE - math.log(1 - math.exp(SURE)))
    (plain,) = differences([said("a")], [said("b")])
    assert plain.gap is None


def test_only_the_same_questions_are_compared():
    other = CanaryAnswer(question="Who else?", text="b", again="b")
    assert not different([said("a")], [other])
    assert not different([said("a")], [])


_WORDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4)
_ANSWERS = st.builds(
    lambda words, weights: said(*words, weights=weights[: len(words)] if weights else None),
    _WORDS,
    st.none() | st.lists(st.floats(-8, 0), min_size=4, max_size=4),
)


@tries(300)
@given(_ANSWERS)
def test_nothing_differs_from_itself(answer):
    assert not different([answer], [answer])


@tries(300)
@given(_ANSWERS, _ANSWERS)
def test_the_order_of_the_arms_does_not_matter(one, other):
    assert different([one], [other]) == different([other], [one])


@tries(300)
@given(_WORDS, st.lists(st.floats(-8, 0), min_size=4, max_size=4), st.floats(-0.9 * LEAST_GAP, 0.9 * LEAST_GAP))
def test_noise_below_the_bar_never_shows(words, weights, noise):
    """The same words whose weights differ by less than two processes' sums may."""
    one = said(*words, weights=weights[: len(words)])
    other = said(*words, weights=[weight + noise for weight in weights[: len(words)]])
    assert not different([one], [other])
