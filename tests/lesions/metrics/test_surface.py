"""Surface distances by hand, and MONAI's own on random masks and real ones."""

import math

import numpy as np
import pytest
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_hausdorff_distance,
    compute_surface_dice,
)

from lesions import InputError
from lesions.ellipse import ellipse
from lesions.labels import UNCERTAIN_ALONE
from lesions.metrics import mask_volume, surfaces
from lesions.readers.deeplesion import read_deeplesion
from lesions.sample import ROOT

NAMES = ("hd95_mm", "assd_mm", "surface_dice_2mm")
ONE, EMPTY = np.zeros((6, 9), np.uint8), np.zeros((6, 9), np.uint8)
ONE[2, 1] = 1


def test_two_single_pixels() -> None:
    found = surfaces(ONE, np.roll(ONE, 3, axis=1), (0.5, 2.0))
    assert tuple(found.values()) == (1.5, 1.5, 1.0)
    assert surfaces(ONE, np.roll(ONE, 3, axis=1), (0.5, 2.0), tolerance=1) == {
        "hd95_mm": 1.5, "assd_mm": 1.5, "surface_dice_1mm": 0.0,
    }  # fmt: skip
    assert surfaces(ONE, np.roll(ONE, 1, axis=0), (0.5, 2.0))["hd95_mm"] == 2.0


def test_a_square_in_a_square() -> None:
    """Of 5 × 5 pixels 16 are surface, of the 3 × 3 within 8; the corners lie √2 apart."""
    outer = np.zeros((9, 9), bool)
    outer[2:7, 2:7] = True
    inner = np.zeros((9, 9), bool)
    inner[3:6, 3:6] = True
    found = surfaces(outer, inner, (1, 1), tolerance=1)
    assert found["assd_mm"] == pytest.approx((8 + 12 + 4 * math.sqrt(2)) / 24)
    assert found["surface_dice_1mm"] == 20 / 24
    assert found["hd95_mm"] == pytest.approx(math.sqrt(2))


def test_nothing_found_has_no_distance() -> None:
    for pair in ((ONE, EMPTY), (EMPTY, ONE)):
        found = surfaces(*pair, (1, 1))
        assert math.isnan(found["hd95_mm"])
        assert math.isnan(found["assd_mm"])
        assert found["surface_dice_2mm"] == 0
    assert tuple(surfaces(EMPTY, EMPTY, (1, 1)).values()) == (0, 0, 1)
    unsure = np.where(ONE == 1, 255, 0)
    assert all(map(math.isnan, surfaces(unsure, ONE, (1, 1)).values()))
    with pytest.raises(InputError, match=UNCERTAIN_ALONE):
        surfaces(ONE, unsure, (1, 1))
    with pytest.raises(ValueError, match="tolerance"):
        surfaces(ONE, ONE, (1, 1), tolerance=-1)


def monai(pred: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...]) -> list[float]:
    ours, theirs = (torch.tensor(mask, dtype=torch.float32)[None, None] for mask in (pred, truth))
    asked = {"include_background": True, "spacing": [*spacing[: pred.ndim][::-1]]}
    return [
        compute_hausdorff_distance(ours, theirs, percentile=95, **asked).item(),
        compute_average_surface_distance(ours, theirs, symmetric=True, **asked).item(),
        compute_surface_dice(ours, theirs, [2.0], **asked).item(),
    ]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_monai_has_the_same_values() -> None:
    rng = np.random.default_rng(0)
    pairs = [
        (ellipse(lesion.recist, lesion.shape), lesion.mask("human") == 1)
        for lesion in read_deeplesion(ROOT)[0][::40]
    ]
    for shape in ((20, 30), (5, 16, 12)):
        for share in (0.02, 0.3, 0.9):
            pred, truth = rng.random((2, *shape)) < share
            pred.flat[0] = truth.flat[-1] = True
            pairs.append((pred, truth))
    for pred, truth in pairs:
        found = surfaces(pred, truth, (0.7, 0.9, 3.0))
        assert tuple(found) == NAMES
        assert [*found.values()] == pytest.approx(monai(pred, truth, (0.7, 0.9, 3.0)), abs=1e-5)


def test_a_volume_counts_voxels() -> None:
    mask = np.zeros((2, 3, 4), np.uint8)
    mask[0, 0, :3] = 1
    mask[1, 1, 1] = 255
    assert mask_volume(mask, (0.5, 0.5, 4)) == 3.0
    with pytest.raises(ValueError, match="a volume has the shape"):
        mask_volume(mask[0], (1, 1, 1))
