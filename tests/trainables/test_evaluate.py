"""What is measured of a prediction, by hand; and the references without any learning."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lesions import InputError, Lesion, Recist
from lesions.ellipse import ellipse
from lesions.labels import UNCERTAIN_ALONE
from lesions.prompts.click import ellipse_box
from lesions.readers.png import encode_labels
from tests.trainables.runs import ellipses, lesion
from trainables.evaluate import measure_one, summarise
from trainables.pdnet import PDNetSystem
from trainables.references import centred_disc, recist_ellipse
from trainables.system import Prediction

SYSTEM = PDNetSystem()
SPACING = (0.5, 2.0, 5.0)
POINTS = [[20, 50], [80, 50], [50, 40], [50, 60]]
ONE = lesion(POINTS, spacing=SPACING, patient="900001", lesion_type="lung")


def dice_of(mask: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))


def test_a_perfect_prediction() -> None:
    row = measure_one(SYSTEM, ONE, Prediction(mask=ONE.mask("snakes"), recist=ONE.recist), "snakes")
    assert (row["file"], row["row"], row["patient"]) == (ONE.file, 1, "900001")
    assert (row["lesion_type"], row["truth"]) == ("lung", "snakes")
    assert (row["long_axis_mm"], row["short_axis_mm"]) == (30.0, 40.0)
    assert [row[name] for name in ("precision", "recall", "dice", "vs")] == [1.0] * 4
    assert (row["long_axis_error"], row["short_axis_error"]) == (0.0, 0.0)


def test_a_truth_without_a_certain_lesion_pixel_gives_no_dice() -> None:
    """A human one, of an older set, is refused by name; a round's pseudo mask has no figures."""
    wrong = encode_labels(255 * ONE.mask("snakes"))
    answer = Prediction(mask=ONE.mask("snakes"), recist=ONE.recist)
    row = measure_one(SYSTEM, replace(ONE, masks={"snakes": wrong}), answer, "snakes")
    assert np.isnan([row[name] for name in ("precision", "recall", "dice", "vs", "avd")]).all()
    with pytest.raises(InputError, match=f"{ONE.file}, row 1: {UNCERTAIN_ALONE}"):
        measure_one(SYSTEM, replace(ONE, masks={"human": wrong}), answer, "snakes")


def test_errors_are_in_mm_along_each_axis() -> None:
    """6 pixels along x at 0.5 mm, 2 along y at 2 mm."""
    found = Recist([[20, 50], [74, 50], [50, 40], [50, 62]])
    row = measure_one(SYSTEM, ONE, Prediction(mask=ONE.mask("snakes"), recist=found), "snakes")
    assert (row["long_axis_error"], row["short_axis_error"]) == pytest.approx((3.0, 4.0))


def test_without_endpoints_the_whole_length_is_error() -> None:
    row = measure_one(SYSTEM, ONE, Prediction(mask=ONE.mask("snakes"), recist=None), "snakes")
    assert (row["long_axis_error"], row["short_axis_error"]) == (30.0, 40.0)
    assert row["dice"] == 1.0


def test_the_human_mask_judges_where_there_is_one() -> None:
    human = np.zeros(ONE.shape, np.uint8)
    human[45:56, 30:71] = 1
    human[:30] = 255
    both = replace(ONE, masks={**ONE.masks, "human": encode_labels(human)})
    prediction = Prediction(mask=ONE.mask("snakes"), recist=ONE.recist)
    row = measure_one(SYSTEM, both, prediction, "snakes")
    assert row["truth"] == "human"
    assert row["dice"] == pytest.approx(dice_of(prediction.mask == 1, human == 1))
    assert row["dice"] < 1
    assert measure_one(SYSTEM, ONE, prediction, "snakes")["truth"] == "snakes"


def test_nothing_found() -> None:
    empty = np.zeros(ONE.shape, np.uint8)
    row = measure_one(SYSTEM, ONE, Prediction(mask=empty, recist=None), "snakes")
    assert (row["dice"], row["recall"], row["precision"]) == (0, 0, 0)


def test_summary() -> None:
    rows = [
        measure_one(SYSTEM, ONE, Prediction(mask=mask, recist=recist), "snakes")
        for mask, recist in (
            (ONE.mask("snakes"), ONE.recist),
            (np.zeros(ONE.shape, np.uint8), None),
        )
    ]
    found = summarise(SYSTEM, rows)
    assert found.keys() == {
        "n",
        "patients",
        *SYSTEM.reported,
        *(f"{name}_std" for name in SYSTEM.reported),
    }
    assert (found["n"], found["dice"], found["dice_std"]) == (2, 0.5, 0.5)
    assert (found["long_axis_error"], found["long_axis_error_std"]) == (15, 15)
    assert summarise(SYSTEM, []) == {}


def squares(lesions: list[Lesion]) -> list[tuple[tuple[float, float], float]]:
    return [ellipse_box(each.recist, each.shape) for each in lesions]


def test_no_other_disc_is_better() -> None:
    """On average over lesions of different shapes, one fraction of the side for all."""
    lesions = ellipses(6)
    best = np.mean(
        [row["dice"] for row in centred_disc(SYSTEM, lesions, squares(lesions), "snakes")]
    )
    y, x = np.mgrid[:100, :100]

    def mean_dice(factor: float) -> float:
        return float(
            np.mean(
                [
                    dice_of(
                        (x - cx) ** 2 + (y - cy) ** 2 <= (factor * side) ** 2,
                        each.mask("snakes") == 1,
                    )
                    for each, ((cx, cy), side) in zip(lesions, squares(lesions), strict=True)
                ]
            )
        )

    dice = [mean_dice(factor) for factor in np.linspace(0.05, 1.0, 96)]
    assert best >= max(dice) - 1e-9
    assert best < max(dice) + 0.01


def test_a_disc_is_found_as_a_disc() -> None:
    """Its diameters too: those of a lesion that is one."""
    round_one = lesion([[30, 50], [70, 50], [50, 30], [50, 70]])
    (row,) = centred_disc(SYSTEM, [round_one], squares([round_one]), "snakes")
    assert row["dice"] > 0.99
    assert max(row["long_axis_error"], row["short_axis_error"]) < 2


def test_the_ellipse_of_the_answer_measures_exactly() -> None:
    lesions = [ONE, *ellipses(3)]
    for each, row in zip(lesions, recist_ellipse(SYSTEM, lesions, "snakes"), strict=True):
        assert (row["long_axis_error"], row["short_axis_error"]) == (0, 0)
        expected = dice_of(ellipse(each.recist, each.shape), each.mask("snakes") == 1)
        assert row["dice"] == expected == 1
        assert math.isfinite(row["long_axis_mm"])


def test_each_reference_has_a_row_a_lesion() -> None:
    lesions = ellipses(3)
    names = [each.file for each in lesions]
    assert [
        row["file"] for row in centred_disc(SYSTEM, lesions, squares(lesions), "snakes")
    ] == names
    assert [row["file"] for row in recist_ellipse(SYSTEM, lesions, "snakes")] == names
