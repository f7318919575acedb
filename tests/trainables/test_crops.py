"""Crops: image, mask and endpoints move by one map, to half a pixel; channels stay canonical."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesions import Recist
from trainables.crops import Crop, apply

crops = st.builds(
    Crop,
    centre=st.tuples(st.floats(50, 70), st.floats(40, 60)),
    side=st.floats(60, 100),
    size=st.sampled_from([96, 128]),
    angle=st.floats(-180, 180),
    flip_x=st.booleans(),
    flip_y=st.booleans(),
)


def blob(centre: tuple[float, float]) -> np.ndarray:
    y, x = np.mgrid[:110, :130]
    return np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 18)


def centre_of_mass(image: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(x * image).sum(), (y * image).sum()]) / image.sum()


@settings(deadline=None, max_examples=60)
@given(crops, st.floats(-12, 12), st.floats(-12, 12))
def test_image_and_points_move_together(crop: Crop, dx: float, dy: float) -> None:
    at = (crop.centre[0] + dx, crop.centre[1] + dy)
    slice_hu = (blob(at) * 1000).astype(np.int16)
    seen = centre_of_mass(crop.image(slice_hu, (0, 1000)))
    np.testing.assert_allclose(seen, crop.points(np.array([at]))[0], atol=0.5)


@settings(deadline=None, max_examples=60)
@given(crops)
def test_labels_move_with_the_image(crop: Crop) -> None:
    lesion = blob(crop.centre) > 0.3
    image = crop.image((lesion * 1000).astype(np.int16), (0, 1000)) > 0.5
    labels = crop.labels(lesion.astype(np.uint8)) == 1
    assert (image & labels).sum() >= 0.85 * (image | labels).sum()
    np.testing.assert_allclose(centre_of_mass(image), centre_of_mass(labels), atol=0.5)


@settings(deadline=None)
@given(crops)
def test_back_is_the_inverse(crop: Crop) -> None:
    points = np.array([[10.0, 20.0], [60.5, 33.25]])
    np.testing.assert_allclose(apply(crop.inverse, crop.points(points)), points, atol=1e-6)


@given(crops)
def test_endpoints_keep_the_canonical_channel_order(crop: Crop) -> None:
    recist = Recist([[50, 50], [70, 55], [62, 45], [58, 60]])
    moved = Recist(crop.points(recist.points)).points
    assert tuple(moved[0]) <= tuple(moved[1])
    assert tuple(moved[2][::-1]) <= tuple(moved[3][::-1])


def test_a_view_of_the_slice_itself_changes_nothing() -> None:
    """Half-pixel origins: the identity crop is the identity, pixel for pixel."""
    slice_hu = np.random.default_rng(0).integers(-100, 100, (64, 64)).astype(np.int16)
    crop = Crop(centre=(31.5, 31.5), side=64, size=64)
    np.testing.assert_array_equal(crop.matrix, [[1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(crop.image(slice_hu, (-100, 100)), (slice_hu + 100) / 200, atol=1e-6)


def test_flips_mirror_about_the_middle() -> None:
    labels = np.zeros((64, 64), np.uint8)
    labels[10, 5] = 1
    crop = Crop(centre=(31.5, 31.5), side=64, size=64, flip_x=True)
    assert np.argwhere(crop.labels(labels)).tolist() == [[10, 58]]
    crop = Crop(centre=(31.5, 31.5), side=64, size=64, flip_y=True)
    assert np.argwhere(crop.labels(labels)).tolist() == [[53, 5]]


def test_enlarging_keeps_the_middle() -> None:
    """Twice as large: network pixel 63.5 is slice pixel 31.5."""
    crop = Crop(centre=(31.5, 31.5), side=64, size=128)
    np.testing.assert_allclose(crop.points(np.array([[31.5, 31.5]])), [[63.5, 63.5]])
    np.testing.assert_allclose(crop.points(np.array([[0.0, 0.0]])), [[0.5, 0.5]])


def test_the_window_maps_to_zero_and_one_and_air_outside_is_low() -> None:
    crop = Crop(centre=(0, 0), side=32, size=32)
    image = crop.image(np.full((32, 32), 2000, np.int16), (-175, 275))
    assert image[-1, -1] == 1
    assert image[0, 0] == 0


def test_uncertain_pixels_stay_uncertain_and_nothing_is_invented() -> None:
    labels = np.random.default_rng(1).choice([0, 1, 255], (40, 40)).astype(np.uint8)
    crop = Crop(centre=(20, 20), side=30, size=96, angle=7)
    assert set(np.unique(crop.labels(labels))) <= {0, 1, 255}


@pytest.mark.parametrize("factor", [2, 4])
def test_shrinking_averages(factor: int) -> None:
    """A fine chequerboard shrinks to grey, not to noise."""
    board = (np.indices((128, 128)).sum(axis=0) % 2 * 100).astype(np.int16)
    image = Crop(centre=(63.5, 63.5), side=128, size=128 // factor).image(board, (0, 100))
    assert abs(image[4:-4, 4:-4] - 0.5).max() < 0.2
