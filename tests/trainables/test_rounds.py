"""From a model's mask to the mask of the next round, on a lesion whose edges are known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

from lesions import Lesion, Recist
from lesions.ellipse import ellipse
from lesions.masks.snakes import refine
from lesions.readers.png import decode_labels, encode_labels, encode_slice
from tests.trainables.runs import alone
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import tiny
from trainables.pdnet.samples import training_sample
from trainables.relabelling import mask_rows
from trainables.system import Prediction

SHAPE = (80, 96)
RECIST = Recist([(30, 40), (66, 40), (48, 28), (48, 52)])
ELLIPSE = ellipse(RECIST, SHAPE)


def lesion_of(**masks: NDArray[Any]) -> Lesion:
    """Bright where the ellipse is, dark where it is not."""
    hu = np.where(ELLIPSE, 120, -80).astype(np.int16)
    hu += np.random.default_rng(0).integers(-15, 16, SHAPE).astype(np.int16)
    given = {"snakes": ELLIPSE, **masks}
    return Lesion(
        file="one.png", row=1, recist=RECIST, spacing=(0.8, 0.8, 5.0), window=(-160.0, 240.0),
        shape=SHAPE, encoded=encode_slice(hu),
        masks={name: encode_labels(mask.astype(np.uint8)) for name, mask in given.items()},
    )  # fmt: skip


def predicted(mask: NDArray[Any]) -> Prediction:
    return Prediction(mask=mask.astype(np.uint8), recist=None)


class Saying(PDNetSystem):
    """PDNet that predicts what it is told to, and nothing of what is told None."""

    def __init__(self, *masks: NDArray[Any] | None) -> None:
        self.masks = iter(masks)

    def predict(self, parts: Any, cases: Any, how: Any) -> Any:
        for _ in cases:
            if (mask := next(self.masks)) is None:
                raise ValueError("no")
            yield predicted(mask)


def rows_of(*lesions: Lesion, masks: list[Any]) -> list[dict[str, Any]]:
    return mask_rows(alone(Saying(*masks), tiny(), nn.Identity()), lesions)


def made_of(lesion: Lesion, mask: NDArray[Any]) -> Any:
    return PDNetSystem().relabel(tiny(), lesion, predicted(mask))["snakes"]


def grown(pixels: int) -> NDArray[np.uint8]:
    """The ellipse with each axis longer."""
    (cx, cy), y, x = (48, 40), *np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = ((x - cx) / (18 + pixels)) ** 2 + ((y - cy) / (12 + pixels)) ** 2 <= 1
    return np.asarray(inside, dtype=np.uint8)


def test_agreed_pixels_are_lesion_and_the_others_uncertain() -> None:
    lesion = lesion_of()
    made = made_of(lesion, grown(3))
    refined = refine(lesion.slice_hu, grown(3), RECIST, lesion.window) == 1
    assert np.array_equal(made.refined == 1, refined)
    assert np.array_equal(made.mask == 1, refined & ELLIPSE)
    assert np.array_equal(made.mask == 255, refined ^ ELLIPSE)
    assert np.array_equal(made.mask == 0, ~(refined | ELLIPSE))


def test_where_nothing_was_predicted_the_ellipse_is_refined() -> None:
    lesion = lesion_of()
    empty = made_of(lesion, np.zeros(SHAPE))
    ours = made_of(lesion, ELLIPSE)
    assert np.array_equal(empty.mask, ours.mask)
    assert (empty.mask == 1).sum() > 0.8 * ELLIPSE.sum()


def test_the_scores_are_against_the_human_mask() -> None:
    """The human mask is the upper half: of 2·TP / (found + there) each is hand-computed."""
    upper = ELLIPSE.copy()
    upper[40:] = False
    (row,) = rows_of(lesion_of(human=upper), masks=[ELLIPSE])
    whole, half = ELLIPSE.sum(), upper.sum()
    assert row["dice_before"] == pytest.approx(2 * half / (whole + half))
    assert row["dice_refined"] == pytest.approx(2 * half / (whole + half), abs=0.03)
    mask = decode_labels(row["mask"])
    assert row["uncertain"] == pytest.approx((mask == 255).sum() / (mask != 0).sum())
    assert row["reason"] == ""
    (without,) = rows_of(lesion_of(), masks=[ELLIPSE])
    assert not {"dice", "dice_before", "dice_refined"} & set(without)


def test_a_mask_that_cannot_be_made_is_told_and_ends_nothing() -> None:
    (row,) = rows_of(lesion_of(), masks=[np.zeros((3, 3))])
    assert row["mask"] is None
    assert row["reason"].startswith("ValueError: the mask is (3, 3)")


def test_a_lesion_that_cannot_be_predicted_costs_no_other_its_mask() -> None:
    lesions = [replace(lesion_of(), row=row) for row in (1, 2, 3)]
    # All together, until the second fails; then each on its own.
    rows = rows_of(*lesions, masks=[ELLIPSE, None, ELLIPSE, None, ELLIPSE])
    assert [row["reason"] for row in rows] == ["", "ValueError: no", ""]
    assert [row["mask"] is None for row in rows] == [False, True, False]


def test_what_is_uncertain_reaches_the_network_as_such() -> None:
    made = made_of(lesion_of(), grown(4))
    lesion = lesion_of()
    lesion = replace(lesion, masks={"snakes": encode_labels(made.mask)})
    share = (made.mask == 255).sum() / (made.mask != 0).sum()
    assert share > 0
    labels = training_sample(tiny(), lesion, np.random.default_rng(1))["labels"].numpy()
    assert set(np.unique(labels)) == {0, 1, 255}
    assert (labels == 255).sum() / (labels != 0).sum() == pytest.approx(share, rel=0.3)


def test_a_lesion_of_which_no_mask_is_made_keeps_its_own() -> None:
    class Choosy(Saying):
        def relabel(self, config: Any, lesion: Lesion, prediction: Prediction) -> Any:
            return {} if lesion.row == 2 else super().relabel(config, lesion, prediction)

    lesions = [replace(lesion_of(), row=row) for row in (1, 2)]
    parts = alone(Choosy(ELLIPSE, ELLIPSE), tiny(), nn.Identity())
    rows = mask_rows(parts, lesions)
    assert [(row["row"], row["mask"] is None, row["reason"]) for row in rows] == [
        (1, False, ""), (2, True, "no mask is made of it"),
    ]  # fmt: skip
