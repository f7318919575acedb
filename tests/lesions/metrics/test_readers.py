"""Readers against each other: by hand, and by the example of the paper that ICC is known by."""

import numpy as np
import pytest

from lesions import Recist
from lesions.metrics.paired import Which
from lesions.metrics.readers import Reading, agreement, apart, every_pair, lengths_mm

SPACING = (0.5, 2.0, 5.0)
FIRST = Recist([[10, 10], [30, 10], [20, 6], [20, 16]])


def which(number: int) -> Which:
    return Which(patient=str(number), file=f"{number}.png", row="1")


def reading(recist: Recist) -> Reading:
    return Reading(recist=recist, spacing=SPACING)


def test_two_readers_by_hand() -> None:
    # The long axis ends 4 pixels further, and is named the other way; the short one is as it was.
    second = Recist([[34, 10], [10, 10], [20, 6], [20, 16]])
    one, two = {which(1): reading(FIRST)}, {which(1): reading(second)}
    long, short = apart(one, two)
    assert (long.axis, long.n) == ("long", 1)
    assert long.location_px == (2.0, 0.0)
    assert long.length_px == (4.0, 0.0)
    assert long.location_mm == (1.0, 0.0)
    assert long.length_mm == (2.0, 0.0)
    assert long.bias_mm == -2.0
    assert short.location_mm == short.length_px == (0.0, 0.0)


def test_only_what_both_measured_counts_and_limits_are_bland_and_altmans() -> None:
    longer = [0.0, 2.0, 4.0]
    first = {which(at): reading(FIRST) for at in range(4)}
    second = {
        which(at): reading(Recist([[10, 10], [30 + more, 10], [20, 6], [20, 16]]))
        for at, more in enumerate(longer)
    }
    long, _ = apart(second, first)
    assert long.n == 3
    assert long.length_px == (2.0, pytest.approx(np.std(longer)))
    assert long.bias_mm == pytest.approx(1.0)
    assert long.limits_mm == pytest.approx((1 - 1.96, 1 + 1.96))  # a deviation of 1 mm
    nobody, _ = apart({}, first)
    assert nobody.n == 0
    assert np.isnan(nobody.length_mm[0])


def test_the_example_of_shrout_and_fleiss() -> None:
    """Six targets, four judges (1979, Table 2): ICC(2,1) = 0.29, 95 % 0.02 to 0.76."""
    judged = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9],
                       [6, 2, 4, 7]], float)  # fmt: skip
    found = agreement(judged)
    assert (found.lesions, found.readers) == (6, 4)
    assert found.value == pytest.approx(0.2898, abs=1e-4)
    assert found.interval == pytest.approx((0.0188, 0.7611), abs=1e-4)


def test_agreement_at_its_ends() -> None:
    same = np.repeat(np.arange(5.0)[:, None], 3, axis=1)
    assert agreement(same).value == 1
    assert agreement(same).interval == (1, 1)
    shifted = same + np.arange(3)  # consistent, and not in absolute agreement
    assert agreement(shifted).value < 0.8
    assert np.isnan(agreement(np.ones((4, 2))).value)
    holed = np.vstack([same, [[np.nan, 1, 1]]])
    assert agreement(holed).lesions == 5
    with pytest.raises(ValueError, match="two lesions and two readers, not 1 and 3"):
        agreement(same[:1])


def test_every_reader_against_every_other() -> None:
    readers = {name: {which(1): reading(FIRST)} for name in "abc"} | {"d": {}}
    pairs = [(first, second) for first, second, _ in every_pair(readers)]
    assert pairs == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]
    lengths = lengths_mm(readers, "long")
    np.testing.assert_allclose(lengths[0, :3], 10.0)
    assert np.isnan(lengths[0, 3])
