"""Pictures of lesions: geometry to the pixel, colours that tell the human from us."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dashboards.plots.overlays import SIZE, crop_of, overlay
from lesions.lesion import Lesion
from lesions.readers.png import encode_slice
from lesions.recist import Recist

PINK, GREEN = (255, 110, 199), (43, 255, 136)


def decode(png: bytes) -> NDArray[np.int64]:
    """RGB (384, 384, 3)."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture[..., ::-1], dtype=np.int64)


def lesion_of(slice_hu: NDArray[np.int16], recist: Recist) -> Lesion:
    height, width = slice_hu.shape
    return Lesion(
        file="a.png", row=1, recist=recist, spacing=(1.0, 1.0, 1.0), window=(0.0, 100.0),
        shape=(height, width), encoded=encode_slice(slice_hu),
    )  # fmt: skip


def cross(x: float, y: float, half: float) -> Recist:
    return Recist([[x - half, y], [x + half, y], [x, y - half / 2], [x, y + half / 2]])


def near(picture: NDArray[np.int64], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(picture - colour).max(axis=2) < 40)


def test_a_pixel_is_a_block_around_its_centre() -> None:
    slice_hu = np.zeros((64, 64), np.int16)
    slice_hu[30, 27] = 100
    lesion = lesion_of(slice_hu, cross(30, 31, 6))
    picture = decode(overlay(lesion, None, None, None, None))
    left, top, side = crop_of(lesion, None)
    rows, columns = np.nonzero(picture[:340].min(axis=2) > 128)  # the scale bar is below
    scale = SIZE / side
    assert np.mean(columns) + 0.5 == pytest.approx((27 - left) * scale, abs=0.6)
    assert np.mean(rows) + 0.5 == pytest.approx((30 - top) * scale, abs=0.6)
    assert np.ptp(columns) + 1 == pytest.approx(scale, abs=1)


@settings(max_examples=15, deadline=None)
@given(st.floats(22, 42), st.floats(22, 42))
def test_an_endpoint_lies_where_its_pixel_does(x: float, y: float) -> None:
    lesion = lesion_of(np.zeros((64, 64), np.int16), cross(32, 32, 10))
    recist = Recist([[x, y], [x + 0.01, y], [x, y], [x, y + 0.01]])
    picture = decode(overlay(lesion, None, None, None, recist))
    left, top, side = crop_of(lesion, None)
    rows, columns = np.nonzero(near(picture, GREEN))
    scale = SIZE / side
    assert np.mean(columns) + 0.5 == pytest.approx((x - left) * scale, abs=0.75)
    assert np.mean(rows) + 0.5 == pytest.approx((y - top) * scale, abs=0.75)


def test_an_outline_runs_between_lesion_and_background() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[28:36, 24:40] = 1
    lesion = lesion_of(np.zeros((64, 64), np.int16), cross(31.5, 31.5, 10))
    rows, columns = np.nonzero(near(decode(overlay(lesion, None, mask, None, None)), GREEN))
    left, top, side = crop_of(lesion, mask)
    scale = SIZE / side
    edges = [(23.5 - left) * scale, (39.5 - left) * scale, (27.5 - top) * scale,
             (35.5 - top) * scale]  # fmt: skip
    found = [columns.min(), columns.max() + 1, rows.min(), rows.max() + 1]
    assert found == pytest.approx(edges, abs=2.5)


def test_the_human_is_dashed_and_we_are_solid() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[20:44, 20:44] = 1
    lesion = lesion_of(np.zeros((64, 64), np.int16), cross(31.5, 31.5, 12))
    human = near(decode(overlay(lesion, mask, None, None, None)), PINK).sum()
    ours = near(decode(overlay(lesion, None, mask, None, None)), GREEN).sum()
    assert 0.4 < human / ours < 0.8


def test_uncertain_pixels_have_no_outline() -> None:
    lesion = lesion_of(np.zeros((64, 64), np.int16), cross(32, 32, 8))
    mask = np.zeros((64, 64), np.uint8)
    mask[28:36, 28:36] = 255
    plain = overlay(lesion, None, None, None, None)
    assert overlay(lesion, mask, None, None, None) == plain
    assert overlay(lesion, np.zeros_like(mask), None, None, None) == plain


def test_the_window_sets_the_greys() -> None:
    ramp = np.tile(np.arange(-14, 114, 2, dtype=np.int16), (64, 1))
    picture = decode(overlay(lesion_of(ramp, cross(32, 32, 12)), None, None, None, None))
    grey = picture[10, :, 0]
    assert (np.diff(grey) >= 0).all()
    assert (grey[0], grey[-1]) == (0, 255)


@pytest.mark.parametrize("corner", [(2.0, 2.0), (61.0, 61.0)])
def test_beyond_the_slice_it_is_black(corner: tuple[float, float]) -> None:
    lesion = lesion_of(np.full((64, 64), 100, np.int16), cross(*corner, 2))
    picture = decode(overlay(lesion, None, None, None, None))
    assert picture.shape == (SIZE, SIZE, 3)
    outside = (0, 0) if corner[0] < 32 else (-1, -1)
    assert picture[outside].tolist() == [0, 0, 0]
    assert picture[SIZE // 2, SIZE // 2].tolist() == [255, 255, 255]


def test_a_far_prediction_widens_the_crop_up_to_twice() -> None:
    lesion = lesion_of(np.zeros((256, 256), np.int16), cross(128, 128, 10))
    near_by, far = np.zeros((2, 256, 256), np.uint8)
    near_by[128, 158] = far[0, 0] = 1
    plain, wider, widest = (crop_of(lesion, mask)[2] for mask in (None, near_by, far))
    assert plain == 51
    assert plain < wider < widest == 101


def test_the_scale_bar_is_10_mm() -> None:
    lesion = lesion_of(np.zeros((64, 64), np.int16), cross(32, 32, 12))
    _, _, side = crop_of(lesion, None)
    picture = decode(overlay(lesion, None, None, None, None))
    columns = np.nonzero(picture[340:].min(axis=2) > 128)[1]
    assert np.ptp(columns) + 1 == pytest.approx(10 * SIZE / side, abs=1.5)


def test_real_lesions_give_the_same_bytes_twice(sample: list[Lesion]) -> None:
    lesion = sample[0]
    human = lesion.mask("human")
    pictures = [overlay(lesion, human, human, lesion.recist, lesion.recist) for _ in range(2)]
    assert pictures[0] == pictures[1]
    decoded = decode(pictures[0])
    assert near(decoded, PINK).any()
    assert near(decoded, GREEN).any()
