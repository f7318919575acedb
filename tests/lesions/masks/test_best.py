"""The outline of least cost: where it follows the CT, where geometry, and that it is the least."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions import Recist
from lesions.ellipse import axes_of, ellipse
from lesions.masks.best import BELIEF, STEP, _filled, _geometry, _least_cost, best
from lesions.metrics import segmentation
from lesions.prepared import PreparedSet

WINDOW = (-100.0, 200.0)
CROSS = Recist([(20, 32), (44, 32), (32, 22), (32, 42)])
FLAT = np.zeros((64, 70), np.int16)


def lens(shape: tuple[int, int] = (64, 70)) -> np.ndarray:
    """Two arcs that meet at the long axis' ends: less than the ellipse between the endpoints."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.abs(y - 32) <= 10 * (1 - ((x - 32) / 12) ** 2)


def ct(lesion: np.ndarray, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 10, lesion.shape)
    return np.rint(np.where(lesion, 120, 0) + noise).astype(np.int16)


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return segmentation(mask, truth)["dice"]


def test_it_follows_an_edge_that_the_ellipse_misses():
    truth = lens()
    recist = Recist.from_mask(truth, (1, 1))
    found = best(ct(truth), recist, WINDOW)
    assert dice(found, truth) > 0.96 > 0.93 > dice(ellipse(recist, truth.shape), truth)


def test_bright_and_dark_lesions_alike():
    truth = lens()
    recist = Recist.from_mask(truth, (1, 1))
    bright, dark = ct(truth), -ct(truth)
    assert dice(best(dark, recist, (-200, 100)), best(bright, recist, WINDOW)) > 0.98


def test_without_an_edge_geometry_decides():
    """Half way between two endpoints the outline runs inside the ellipse by the dip."""
    found = best(FLAT, CROSS, WINDOW, replace(BELIEF, dip=0.1, smooth=1.0))
    axes = axes_of(CROSS)
    at = axes.centre + axes.rays(np.array([np.pi / 4])) * np.array([[0.85], [0.95]])
    inside, outside = np.rint(at).astype(int)
    assert found[inside[1], inside[0]] == 1
    assert found[outside[1], outside[0]] == 0
    assert found[32, 21] == found[32, 43] == 1
    assert found[32, 18] == found[32, 46] == 0


def test_no_evidence_means_the_image_is_not_looked_at():
    blind = replace(BELIEF, evidence=0.0)
    assert (best(ct(lens()), CROSS, WINDOW, blind) == best(FLAT, CROSS, WINDOW, blind)).all()


def test_a_mirrored_slice_gives_the_mirrored_mask():
    image, width = ct(lens()), 70
    mirrored = CROSS.transformed([[-1, 0, width - 1], [0, 1, 0]])
    found, other = best(image, CROSS, WINDOW), best(image[:, ::-1], mirrored, WINDOW)
    assert dice(found[:, ::-1], other) > 0.98


def exact_closed_outline(cost: np.ndarray, smooth: float) -> float:
    """The cost of the cheapest closed outline, by a search from every first radius."""
    radii = np.arange(cost.shape[1]) * STEP
    step = (radii[:, None] - radii) ** 2 / (2 * smooth**2)
    cheapest = np.inf
    for first in range(cost.shape[1]):
        so_far = np.where(np.arange(cost.shape[1]) == first, cost[0, first], np.inf)
        for row in cost[1:]:
            so_far = (so_far + step).min(axis=1) + row
        cheapest = min(cheapest, float((so_far + step[first]).min()))
    return cheapest


@given(st.integers(0, 2**32 - 1))
def test_the_outline_is_the_cheapest_closed_one(seed):
    rng = np.random.default_rng(seed)
    cost = _geometry(BELIEF)
    cost = cost + np.cumsum(rng.normal(0, 0.3, cost.shape), axis=1)
    path = _least_cost(cost, BELIEF.smooth)
    along = np.roll(path, -1) - path
    total = cost[np.arange(len(path)), path].sum() + ((along * STEP) ** 2).sum() / (
        2 * BELIEF.smooth**2
    )
    assert total == pytest.approx(exact_closed_outline(cost, BELIEF.smooth), rel=1e-9)


def test_at_radius_1_it_is_the_ellipse():
    for recist in (CROSS, Recist([(10, 30), (50, 34), (36, 20), (20, 40)])):
        found = _filled(np.ones(72), axes_of(recist), (64, 70))
        assert (found == ellipse(recist, (64, 70))).all()


@pytest.mark.parametrize(
    "points",
    [
        [(0, 0), (3, 0), (1, 0), (1, 2)],  # in the corner
        [(60, 60), (69, 63), (66, 58), (62, 63)],
        [(30, 30), (30.5, 30), (30.2, 30), (30.2, 30.3)],  # less than a pixel
        [(20, 20), (40, 20), (50, 22), (50, 40)],  # axes that do not cross
        [(20, 20), (40, 20), (40, 20), (40, 30)],  # that meet at an end
        [(1, 32), (68, 32), (35, 1), (35, 62)],  # all of the image
    ],
)
def test_awkward_lesions(points):
    recist = Recist(points)
    for image in (FLAT, ct(lens()), np.full((64, 70), 30000, np.int16)):
        found = best(image, recist, WINDOW)
        assert found.dtype == np.uint8
        assert found.shape == (64, 70)
        assert found.any()
        assert np.isin(found, (0, 1)).all()


def test_misuse_is_refused():
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        best(FLAT[None], CROSS, WINDOW)
    with pytest.raises(ValueError, match="not low, high"):
        best(FLAT, CROSS, (100, 100))


def test_on_the_sample_it_keeps_up_with_the_ellipse(training_lesions: PreparedSet):
    """Every fourth training slice, marks measured from the masks; docs/masks.md has the rest.

    The marks are exact there and the sarcomas' edges hardly to be seen: nothing beats geometry.
    """
    ours, ellipses = [], []
    for lesion in training_lesions[::4]:
        truth = lesion.mask("human")
        ours.append(dice(best(lesion.slice_hu, lesion.recist, lesion.window), truth))
        ellipses.append(dice(ellipse(lesion.recist, lesion.shape), truth))
    assert np.mean(ours) > np.mean(ellipses) - 0.007


@pytest.mark.parametrize("drawn_in", [0.88, 1.0])
def test_marks_drawn_in_or_displaced_are_not_believed_against_a_clear_edge(drawn_in):
    y, x = np.mgrid[:64, :70]
    truth = np.hypot(x - 35, y - 32) <= 12
    recist = Recist.from_mask(truth.astype(np.uint8), (1, 1))
    shifted = recist.transformed([[1, 0, 1], [0, 1, 0]])
    moved = Recist(shifted.stretched(drawn_in, drawn_in))
    assert dice(ellipse(moved, truth.shape), truth) < 0.94
    assert dice(best(ct(truth), moved, WINDOW), truth) > 0.96
