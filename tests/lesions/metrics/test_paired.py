"""Paired differences: hand-computed, and what must hold of any."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from lesions.metrics.paired import (
    DRAWS,
    DRAWS_SEED,
    LEVEL,
    Measured,
    Which,
    interval,
    intervals,
    paired,
)  # fmt: skip


def which(patient: str, row: int = 0) -> Which:
    return Which(patient, f"{patient}.png", str(row))


A, B, B2, C = which("a"), which("b"), which("b", 1), which("c")


def test_a_lesions_difference_is_its_mean_over_seeds() -> None:
    first: Measured = {0: {A: 0.9, B: 0.5, B2: 0.5, C: 0.7}, 1: {A: 0.7, B: 0.6, B2: 0.2, C: 0.7}}
    second: Measured = {seed: {A: 0.5, B: 0.5, B2: 0.2, C: 0.5} for seed in first}
    found = paired(first, second)
    # A: (0.4 + 0.2) / 2, B: (0 + 0.1) / 2, B2: (0.3 + 0) / 2, C: 0.2
    assert found.difference == pytest.approx((0.3 + 0.05 + 0.15 + 0.2) / 4)
    assert found.by_seed == pytest.approx([0.9 / 4, 0.5 / 4])
    assert (found.lesions, found.patients, found.left_out) == (4, 3, 0)
    assert found.agreed
    # Of three patients one draw in 27 has b alone, and one a alone: their means are the ends.
    assert found.interval == pytest.approx((0.1, 0.3))
    assert found.sign == 1


def test_a_patient_is_drawn_whole() -> None:
    """20 equal lesions of one patient are one patient: the ends are patients' own means."""
    values = np.array([1.0] + [0.0] * 20 + [1.0])
    assert interval(values, ["a", *["b"] * 20, "c"]) == (0.0, 1.0)


def test_an_interval_is_that_of_the_means_distribution() -> None:
    """Of many patients with a lesion each: mean ± 1.96 standard errors."""
    values = np.random.default_rng(3).normal(0.1, 1.0, 400)
    low, high = interval(values, [str(one) for one in range(400)]) or (math.nan, math.nan)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.005)
    assert high == pytest.approx(values.mean() + half, abs=0.005)


def test_they_are_scipys_whatever_is_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    values, whose = rng.random((40, 2)), rng.integers(0, 9, 40)
    counts = np.bincount(whose)
    monkeypatch.setattr("lesions.metrics.paired._AT_ONCE", 9 * 777)
    found = intervals(values, [str(one) for one in whose])
    for column, ends in zip(values.T, found if found is not None else [], strict=True):
        theirs = bootstrap(
            (np.bincount(whose, weights=column), counts),
            lambda total, count, axis=-1: total.sum(axis=axis) / count.sum(axis=axis),
            paired=True, vectorized=True, n_resamples=DRAWS, confidence_level=LEVEL,
            method="percentile", rng=DRAWS_SEED,
        ).confidence_interval  # fmt: skip
        assert ends == pytest.approx(theirs, rel=1e-12)


def test_two_patients_have_no_interval() -> None:
    assert interval(np.array([0.2, 0.3, 0.9]), ["a", "b", "b"]) is None


def test_one_patient_has_no_interval() -> None:
    found = paired({0: {B: 0.5, B2: 0.7}}, {0: {B: 0.4, B2: 0.4}})
    assert found.difference == pytest.approx(0.2)
    assert found.interval is None
    assert found.sign == 0


def test_a_lesion_that_one_lacks_with_a_seed_is_left_out_and_counted() -> None:
    first: Measured = {0: {A: 1.0, B: 0.5, C: 0.5}, 1: {A: 1.0, B: math.nan, C: 0.5}}
    second: Measured = {0: {A: 0.5, B: 0.5, B2: 0.1}, 1: {A: 0.5, B: 0.5, B2: 0.1}}
    found = paired(first, second)
    assert (found.lesions, found.left_out) == (1, 3)  # B is NaN once, B2 and C in one alone
    assert found.difference == 0.5


def test_a_seed_of_one_alone_does_not_count() -> None:
    assert paired({0: {A: 1.0}, 1: {A: 3.0}}, {1: {A: 1.0}}).by_seed == [2.0]


def test_nothing_in_common() -> None:
    found = paired({0: {A: 1.0}}, {0: {B: 1.0}})
    assert math.isnan(found.difference)
    assert (found.interval, found.lesions, found.left_out, found.sign) == (None, 0, 2, 0)


def test_seeds_that_disagree() -> None:
    first: Measured = {0: {A: 0.9, B: 0.9, C: 0.9}, 1: {A: 0.4, B: 0.4, C: 0.4}}
    found = paired(first, {seed: {A: 0.5, B: 0.5, C: 0.5} for seed in first})
    assert found.sign == 1
    assert not found.agreed


VALUES = st.lists(
    st.tuples(st.sampled_from("abcdef"), *[st.floats(0, 1, width=16)] * 4), min_size=1, max_size=12
)


@given(VALUES)
def test_swapped_methods_have_the_opposite_sign(drawn: list[tuple[str, float, ...]]) -> None:
    first, second = (
        {
            seed: {which(one[0], row): one[at + seed] for row, one in enumerate(drawn)}
            for seed in range(2)
        }
        for at in (1, 3)
    )
    there, back = paired(first, second), paired(second, first)
    assert there.difference == pytest.approx(-back.difference)
    assert there.by_seed == pytest.approx([-one for one in back.by_seed])
    assert there.difference == pytest.approx(np.mean(there.by_seed))
    assert (there.lesions, there.left_out) == (back.lesions, back.left_out) == (len(drawn), 0)
    if there.interval and back.interval:
        low, high = back.interval
        assert there.interval == pytest.approx((-high, -low))
    same = paired(first, first)
    assert (same.difference, same.interval in (None, (0.0, 0.0)), same.sign) == (0.0, True, 0)
