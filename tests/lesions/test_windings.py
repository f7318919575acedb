"""Lesions that wind: what is left out to measure them in time changes no digit of any lesion."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesions import Recist, chords, outline
from lesions.crossings import Indices, not_crossing
from lesions.outline import Outline, Points, lesion_outline
from tests.lesions.test_recist import blob
from tests.lesions.test_turns import noise, stays


def all_pairs(_: Outline, vertices: Points) -> tuple[Indices, Indices]:
    return np.triu_indices(len(vertices), 1)


def spiral(turns: float, width: int, side: int) -> np.ndarray:
    """An Archimedean spiral in a square of `side` pixels."""
    angle = np.linspace(0, 2 * np.pi * turns, 4000)
    reach = (side / 2 - width) * angle / angle[-1]
    line = side / 2 + np.stack([reach * np.cos(angle), reach * np.sin(angle)], axis=1)
    mask = np.zeros((side, side), np.uint8)
    cv2.polylines(mask, [np.rint(line).astype(np.int32)], False, 1, width)
    return mask


@given(st.integers(0, 10**6), st.sampled_from([(1.0, 1.0), (0.7, 0.9)]))
@settings(max_examples=25, deadline=None)
def test_random_masks_measure_as_with_all_pairs(seed: int, spacing: tuple[float, float]) -> None:
    for mask in (noise(seed), noise(seed, 0.8), blob(seed)):
        found = Recist.from_mask(mask, spacing)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(outline, "_pairs", all_pairs)
            assert Recist.from_mask(mask, spacing) == found


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_cuts_that_are_left_out_are_no_longest(seed: int) -> None:
    for mask in (noise(seed, 0.8), blob(seed), spiral(2 + seed % 3, 2 + seed % 2, 40)):
        found = Recist.from_mask(mask, (0.7, 0.9))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(chords, "MOST_CUTS", 0)
            few = Recist.from_mask(mask, (0.7, 0.9))
        # Positions are told apart by adding a number to them that depends on how many there are.
        np.testing.assert_allclose(few.points, found.points, atol=1e-9)


@pytest.mark.parametrize(("turns", "width"), [(4, 3), (8, 1), (3, 6)])
def test_no_pair_that_stays_is_left_out_and_few_others_are_left(turns: int, width: int) -> None:
    shape = lesion_outline(spiral(turns, width, 64) > 0)
    vertices = shape.vertices[::16]
    first, second = not_crossing(shape.filled, np.rint(2 * (vertices - shape.origin)).astype(int))
    left = set(zip(first.tolist(), second.tolist(), strict=True))
    everyone = list(zip(*(one.tolist() for one in all_pairs(shape, vertices)), strict=True))
    for pair in set(everyone) - left:
        # A thousand points of it: some lie on background.
        assert not stays(shape.filled, vertices[list(pair)] - shape.origin)
    assert len(left) < len(everyone) / 2


def test_the_axis_called_long_is_the_longer() -> None:
    """Also where every k-th vertex alone is tried, and where a chord that touches is longest."""
    for mask in (spiral(12, 3, 128), *(noise(seed, 0.8) for seed in range(60))):
        long, short = Recist.from_mask(mask, (1, 1)).diameters_mm((1, 1))
        assert long > short - 1e-9
