"""Readers against each other: by hand, and by the example of the paper that ICC is known by."""

import numpy as np
import pytest

from lesions import Recist
from lesions.metrics.paired import Which
from lesions.metrics.readers import Reading, agreement, errors, lengths_mm, limits

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
    found = errors(one, two)[which(1)]
    assert found["long_axis_location_error"] == 2.0
    assert found["long_axis_length_error"] == 4.0
    assert found["long_axis_location_mm"] == 1.0
    assert found["long_axis_error"] == 2.0
    assert found["short_axis_location_mm"] == found["short_axis_length_error"] == 0.0
    assert found["turned"] == 0.0
    assert limits(one, two)[0].bias_mm == -2.0


def test_long_axes_are_apart_by_an_angle_in_mm_that_has_no_direction() -> None:
    along = Recist([[10, 10], [14, 10], [12, 9.9], [12, 10.1]])  # 2 mm to the right
    aslant = Recist([[14, 11], [10, 10], [12, 10.4], [12, 10.6]])  # 2 mm to the left and 2 mm up
    found = errors({which(1): reading(along)}, {which(1): reading(aslant)})
    assert found[which(1)]["turned"] == pytest.approx(45)


def test_only_what_both_measured_counts_and_limits_are_bland_and_altmans() -> None:
    longer = [0.0, 2.0, 4.0]
    first = {which(at): reading(FIRST) for at in range(4)}
    second = {
        which(at): reading(Recist([[10, 10], [30 + more, 10], [20, 6], [20, 16]]))
        for at, more in enumerate(longer)
    }
    assert list(errors(second, first)) == [which(at) for at in range(3)]
    long, _ = limits(second, first)
    assert (long.axis, long.n) == ("long", 3)
    assert long.bias_mm == pytest.approx(1.0)
    assert long.limits_mm == pytest.approx((1 - 1.96, 1 + 1.96))  # a deviation of 1 mm
    nobody, _ = limits({}, first)
    assert nobody.n == 0
    assert np.isnan([nobody.bias_mm, *nobody.limits_mm]).all()


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


def test_lengths_of_every_reader() -> None:
    readers = {name: {which(1): reading(FIRST)} for name in "abc"} | {"d": {}}
    lengths = lengths_mm(readers, "long")
    np.testing.assert_allclose(lengths[0, :3], 10.0)
    assert np.isnan(lengths[0, 3])
