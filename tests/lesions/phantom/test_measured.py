"""Measured distributions, drawn from again."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lesions.phantom.measured import LEVELS, LONG_AXIS_MM, quantiles


def test_a_distribution_goes_through_what_was_measured() -> None:
    assert_allclose([LONG_AXIS_MM.at(level) for level in LEVELS], (9, 11, 13, 16, 27))
    assert LONG_AXIS_MM.at(0.375) == pytest.approx(np.sqrt(11 * 13))
    assert 8.6 < LONG_AXIS_MM.at(0.0) < 9 < 27 < LONG_AXIS_MM.at(1.0) < 28.2


def test_drawn_values_have_the_same_quantiles() -> None:
    random = np.random.default_rng(0)
    drawn = np.array([LONG_AXIS_MM.draw(random) for _ in range(4000)])
    assert_allclose(quantiles(drawn), LONG_AXIS_MM.values, rtol=0.05)
