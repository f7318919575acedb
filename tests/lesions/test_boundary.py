"""The outline's vertices: those of scikit-image's marching squares, in its order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import find_contours

from lesions.boundary import boundary
from lesions.outline import lesion_outline
from lesions.readers.deeplesion import read_deeplesion
from lesions.sample import ROOT
from tests.lesions.test_recist import blob
from tests.lesions.test_turns import LEAST, noise
from tests.lesions.test_windings import spiral


def is_as_marched(mask: np.ndarray) -> bool:
    filled = lesion_outline(mask > 0).filled
    (closed,) = find_contours(filled.astype(np.float64), 0.5, fully_connected="high")
    return np.array_equal(boundary(filled), closed[:-1, ::-1])


@given(st.integers(0, 10**6), st.sampled_from([0.3, 0.5, 0.8]))
@settings(max_examples=60, deadline=None)
def test_of_random_masks(seed: int, share: float) -> None:
    assert is_as_marched(noise(seed, share))
    assert is_as_marched(blob(seed))


@pytest.mark.parametrize(
    "shape", [[[1]], [[1, 1]], [[1], [1]], [[1, 0], [0, 1]], [[0, 1], [1, 0]], LEAST]
)
def test_of_a_few_pixels(shape: list[list[int]]) -> None:
    assert is_as_marched(np.array(shape))


@pytest.mark.parametrize(("turns", "width"), [(2, 5), (8, 1), (12, 3), (30, 1)])
def test_of_spirals(turns: float, width: int) -> None:
    assert is_as_marched(spiral(turns, width, 128))


def test_of_the_samples_masks() -> None:
    lesions = read_deeplesion(ROOT)[0][::10]
    assert all(is_as_marched(each.mask("human") == 1) for each in lesions)


def test_of_one_pixel_by_hand() -> None:
    alone = np.pad(np.ones((1, 1), bool), 1)
    assert boundary(alone).tolist() == [[1, 1.5], [0.5, 1], [1, 0.5], [1.5, 1]]
