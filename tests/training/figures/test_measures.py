"""The sums of a question say what its answers would say, however they were cut into batches."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.training.figures import measures
from portal.training.figures.folding import centred
from portal.training.figures.measures import Sums, marks

POINTS = st.sampled_from([0.0, 1.0, 0.5, 1 / 3, 2 / 3])


def of(x, y, blank=0):
    return centred(len(x), blank, x.sum(), y.sum(), (x * x).sum(), (y * y).sum(), (x * y).sum())


@given(st.lists(st.tuples(POINTS, st.floats(0, 1)), min_size=2, max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_sums_of_batches_say_what_all_answers_together_say(pairs, cuts):
    x, y = np.array(pairs).T
    bounds = sorted({0, len(x), *(c for c in cuts if c < len(x))})
    whole = Sums()
    for a, b in pairwise(bounds):
        whole += of(x[a:b], y[a:b])
    assert whole.n == len(x)
    assert whole.facility == pytest.approx(x.mean())
    assume(x.std() > 1e-3 and y.std() > 1e-3)
    assert whole.discrimination == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)


def test_millions_of_answers_that_hardly_differ_lose_nothing():
    chance = np.random.default_rng(7)
    y = 0.999 + chance.random(2_000_000) * 1e-3
    x = (chance.random(len(y)) < 0.9999).astype(float) * 1.0
    whole = Sums()
    for at in range(0, len(x), 4000):
        whole += of(x[at : at + 4000], y[at : at + 4000])
    assert whole.discrimination == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-6)


@pytest.mark.parametrize("x", [0.0, 1.0, 1 / 3])
def test_where_everybody_won_the_same_nothing_tells_them_apart(x):
    whole = Sums()
    for _batch in range(50):
        whole += of(np.full(200, x), np.random.default_rng(1).random(200))
    assert whole.discrimination is None
    assert whole.facility == pytest.approx(x)


def sums(facility, told, n=400, blank=0):
    """Sums with this facility and discrimination, of points 0 and 1."""
    xx = n * facility * (1 - facility)
    return Sums(n, blank, n * facility, n / 2, xx, n / 12, told * (xx * n / 12) ** 0.5)


@pytest.mark.parametrize(("given_", "expected"), [
    (sums(0.6, 0.35), ()),
    (sums(0.6, 0.20), ()),
    (sums(0.6, 0.19), ("weak",)),
    (sums(0.6, 0.09), ("low",)),
    (sums(0.6, -0.01), ("negative",)),
    (sums(0.95, 0.3), ()),
    (sums(0.96, 0.3), ("easy",)),
    (sums(0.24, 0.3), ("hard",)),
    (sums(0.6, 0.3, blank=40), ()),
    (sums(0.6, 0.3, blank=41), ("blank",)),
    (sums(0.1, -0.3, blank=200), ("negative", "hard", "blank")),
    (sums(0.1, -0.3, n=29), ("few",)),
    (sums(0.1, -0.3, n=30), ("negative", "hard")),
    (Sums(), ("few",)),
])
def test_a_question_is_marked_by_the_bounds_of_the_text_books(given_, expected):
    assert marks(given_) == expected


def test_worse_than_guessing_is_too_hard_whatever_the_bound():
    assert marks(sums(0.45, 0.3), guessed=0.5) == ("hard",)
    assert marks(sums(0.55, 0.3), guessed=0.5) == ()


def test_every_mark_can_be_given():
    given_ = [sums(0.6, -0.1), sums(0.1, 0.3), sums(0.6, 0.05), sums(0.97, 0.3), sums(0.6, 0.15), sums(0.6, 0.3, blank=90),
              Sums()]
    assert {mark for one in given_ for mark in marks(one)} == set(measures.MARKS)
