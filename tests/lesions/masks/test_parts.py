"""Which part of a segmentation a point means."""

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lesions.masks.parts import part_at


def test_the_part_that_holds_the_point_or_is_nearest() -> None:
    segmentation = np.zeros((9, 12), bool)
    segmentation[1:4, 1:4] = segmentation[4, 4] = True  # touch at a corner: one part
    segmentation[2:5, 9:11] = True
    left = part_at(segmentation, (2, 2))
    assert np.array_equal(np.flatnonzero(left.any(axis=0)), [1, 2, 3, 4])
    assert np.array_equal(part_at(segmentation, (5, 4)), left)
    right = part_at(segmentation, (11, 8))
    assert np.array_equal(left | right, segmentation)
    assert not (left & right).any()
    assert not part_at(np.zeros((9, 12), bool), (2, 2)).any()


@given(st.integers(0, 10_000), st.floats(-9, 29), st.floats(-9, 24))
def test_it_is_one_part_and_none_is_nearer(seed: int, x: float, y: float) -> None:
    rng = np.random.default_rng(seed)
    segmentation = rng.random((15, 20)) < rng.uniform(0.02, 0.5)
    segmentation[rng.integers(15), rng.integers(20)] = True
    part = part_at(segmentation, (x, y))
    assert part.dtype == np.bool_
    assert not (part & ~segmentation).any()
    count, _ = cv2.connectedComponents(part.astype(np.uint8), connectivity=8)
    assert count == 2, "the background and one part"
    grown = cv2.dilate(part.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert np.array_equal(grown & segmentation, part), "nothing that touches it is left out"

    def distance(mask):
        rows, columns = np.nonzero(mask)
        return np.hypot(columns - x, rows - y).min()

    assert distance(part) == distance(segmentation)
