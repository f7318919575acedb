"""Diameters by three ways and the marks, on lesions whose diameters are known by hand."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lesions import Lesion, Recist
from lesions.metrics.side_by_side import differences, side_by_side, without
from lesions.readers.png import encode_labels, encode_slice

SPACING = (0.5, 0.5, 5.0)


def bar(length: int, width: int) -> NDArray[np.uint8]:
    """One row of pixels crossed by one column: length × width pixels, so half as many mm."""
    mask = np.zeros((40, 60), np.uint8)
    mask[20, 5 : 5 + length] = 1
    mask[20 - width // 2 : 20 - width // 2 + width, 5 + length // 2] = 1
    return mask


def lesion_of(human: NDArray[np.uint8] | None, recist: Recist) -> Lesion:
    return Lesion(
        file="a.png", row=1, recist=recist, spacing=SPACING, window=(-100, 200), shape=(40, 60),
        encoded=encode_slice(np.zeros((40, 60), np.int16)),
        masks={} if human is None else {"human": encode_labels(human)},
    )  # fmt: skip


def endpoints(long: float, short: float) -> Recist:
    """Axes of so many mm."""
    return Recist([(10, 20), (10 + 2 * long, 20), (15, 10), (15, 10 + 2 * short)])


def rows() -> list[dict[str, Any]]:
    return [row | {"patient": f"p{at}"} for at, row in enumerate(measured())]


def measured() -> list[dict[str, float]]:
    human = bar(24, 8)  # 12 × 4 mm from edge to edge
    copied = lesion_of(human, Recist.from_mask(human, SPACING))
    own = replace(copied, recist=endpoints(14, 5))
    return [
        side_by_side(copied, endpoints(13, 3), bar(20, 10)),  # 13 × 3; 10 × 5; 12 × 4
        side_by_side(own, endpoints(11, 6), bar(30, 6)),  # 11 × 6; 15 × 3; 12 × 4; 14 × 5
        side_by_side(own, None, np.zeros((40, 60), np.uint8)),
    ]


def test_each_way_measures_its_own() -> None:
    first, second, third = measured()
    assert first == pytest.approx(
        {
            "heat_maps_long_mm": 13, "heat_maps_short_mm": 3,
            "predicted_mask_long_mm": 10, "predicted_mask_short_mm": 5,
            "human_mask_long_mm": 12, "human_mask_short_mm": 4,
            "marks_long_mm": math.nan, "marks_short_mm": math.nan,
        }, nan_ok=True,
    )  # fmt: skip
    assert (second["marks_long_mm"], second["marks_short_mm"]) == pytest.approx((14, 5))
    assert math.isnan(third["heat_maps_long_mm"])
    assert math.isnan(third["predicted_mask_short_mm"])
    assert third["human_mask_long_mm"] == pytest.approx(12)


def test_the_differences_by_hand() -> None:
    found = {(one.first, one.second, one.axis): one for one in differences(rows())}
    for (first, second, axis), n, each in (
        (("heat maps", "human mask", "long"), 2, [1, -1]),
        (("heat maps", "human mask", "short"), 2, [-1, 2]),
        (("predicted mask", "human mask", "long"), 2, [-2, 3]),
        (("predicted mask", "human mask", "short"), 2, [1, -1]),
        (("heat maps", "predicted mask", "long"), 2, [3, -4]),
        (("heat maps", "predicted mask", "short"), 2, [-2, 3]),
        (("marks", "human mask", "long"), 2, [2, 2]),
        (("marks", "human mask", "short"), 2, [1, 1]),
        (("heat maps", "marks", "long"), 1, [-3]),
        (("heat maps", "marks", "short"), 1, [1]),
    ):
        one = found.pop((first, second, axis))
        assert one.n == n
        assert one.median == pytest.approx(np.median(each))
        assert one.mean == pytest.approx(np.mean(each))
        assert one.absolute == pytest.approx(np.mean(np.abs(each)))
    assert found == {}
    assert without(rows()) == {"heat maps": 1, "predicted mask": 1, "human mask": 0, "marks": 1}


def test_without_any_marks_of_their_own_they_are_no_way() -> None:
    found = list(differences(rows()[:1]))
    assert {(one.first, one.second) for one in found} == {
        ("heat maps", "human mask"), ("predicted mask", "human mask"),
        ("heat maps", "predicted mask"),
    }  # fmt: skip


def test_without_a_human_mask_the_marks_are_the_lesions_own() -> None:
    row = side_by_side(lesion_of(None, endpoints(14, 5)), None, bar(20, 10))
    assert math.isnan(row["human_mask_long_mm"])
    assert row["marks_long_mm"] == pytest.approx(14)
    (one, *_) = differences([row])
    assert (one.n, math.isnan(one.median)) == (0, True)


def test_the_interval_is_over_patients() -> None:
    """Of three patients a draw in 27 has one alone: their own means are the ends."""
    lengths = {"a": (12.0, 8.0), "b": (13.0,), "c": (7.0,)}
    made = [
        {"patient": whose, "heat_maps_long_mm": one, "human_mask_long_mm": 10.0,
         "heat_maps_short_mm": math.nan, "human_mask_short_mm": 5.0}
        for whose, found in lengths.items() for one in found
    ]  # fmt: skip
    long, short = differences(made)
    assert (long.mean, long.absolute) == (0.0, 2.5)
    assert (long.mean_interval, long.absolute_interval) == ((-3.0, 3.0), (2.0, 3.0))
    assert (short.n, short.mean_interval) == (0, None)
    assert all(one.mean_interval is None for one in differences(made[:3])), "two patients"
