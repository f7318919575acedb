"""What a name tells of lesions' values, and the number that it is: hand-computed."""

import math

import pytest

from lesions.metrics.shares import OfLesions, of_lesions

DICES = [0.9, 0.8, 0.85, 0.85, 0.2]


@pytest.mark.parametrize(
    ("name", "metric", "value"),
    [
        ("worst_dice", "dice", 0.2),
        ("fraction_dice_ge_0.80", "dice", 4 / 5),
        ("fraction_dice_gt_0.80", "dice", 3 / 5),
        ("fraction_dice_ge_0.85", "dice", 3 / 5),
        ("fraction_dice_gt_0.85", "dice", 1 / 5),
        ("fraction_dice_stage2_ge_1", "dice_stage2", 0.0),
        ("fraction_dice_gt_0", "dice", 1.0),
    ],
)
def test_by_hand(name: str, metric: str, value: float) -> None:
    told = of_lesions(name)
    assert told is not None
    assert told.metric == metric
    assert told.of(DICES) == value
    assert told.of([*DICES, math.nan]) == value, "a lesion without a value is left out"


def test_a_dice_of_counted_pixels_reaches_the_level_that_it_is() -> None:
    share = OfLesions(metric="dice", sign="≥", level="0.80")
    assert all(share.of([2 * 2 * n / (5 * n)]) == 1 for n in range(1, 200))


@pytest.mark.parametrize("name", ["worst_dice", "fraction_dice_ge_0.80"])
@pytest.mark.parametrize("values", [[], [math.nan]])
def test_of_no_lesion_is_nothing(name: str, values: list[float]) -> None:
    told = of_lesions(name)
    assert told is not None
    assert math.isnan(told.of(values))


@pytest.mark.parametrize(
    "name",
    ["dice", "worst_", "worst", "fraction_dice_le_0.8", "fraction_dice_ge_", "fraction_dice_ge_.8",
     "fraction__ge_0.8x", "fraction_dice_ge_-1", "fraction_dice_ge_nan"],
)  # fmt: skip
def test_any_other_name_is_none_of_them(name: str) -> None:
    assert of_lesions(name) is None
