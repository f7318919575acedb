"""Patches: millimetres on any spacing, the box in its middle; a case is its lesion's equal."""

import numpy as np
import pytest

from lesions import InputError, Lesion
from lesions.prompts import Box, Case, Click
from tests.trainables.embedding.narrow import CPU, NARROW, lesion, narrow
from trainables.embedding.network import EmbedderConfig
from trainables.embedding.views import View, embed, view_of

FINE = EmbedderConfig(width=1 / 16, pretrained=False, side_mm=60, pixel_mm=1)


def case_of(one: Lesion, *corners: float) -> Case:
    prompt = Box.from_points(np.reshape(corners or one.recist.bounds, (2, 2)))
    return Case(slice_hu=one.slice_hu, window=one.window, spacing=one.spacing, prompt=prompt)


def extent(seen: View) -> tuple[float, float]:
    """Of the bright lesion, pixels each way: a line's sum through its middle."""
    middle, bright = len(seen.patch) // 2, (seen.patch - 0.4) / 0.3
    return float(bright[middle].clip(0, 1).sum()), float(bright[:, middle].clip(0, 1).sum())


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 5.0), (0.5, 1.0, 3.0), (1.6, 0.7, 1.0)])
def test_a_pixel_is_a_millimetre_each_way(spacing: tuple[float, float, float]) -> None:
    """16 mm × 10 mm, whatever the slice's pixels."""
    half = (8 / spacing[0], 5 / spacing[1])
    seen = view_of(lesion(half=half, spacing=spacing), FINE)
    assert seen.patch.shape == (60, 60)
    assert seen.patch.dtype == np.float32
    np.testing.assert_allclose(seen.box, [21.5, 24.5, 37.5, 34.5], atol=1e-4)
    np.testing.assert_allclose(extent(seen), [16, 10], atol=2.1)


def test_the_window_is_the_lesions() -> None:
    seen = view_of(lesion(), FINE)
    assert seen.patch[30, 30] == pytest.approx(280 / 400)
    assert seen.patch[10, 30] == pytest.approx(160 / 400)


def test_beyond_the_slice_is_the_windows_low_end() -> None:
    seen = view_of(lesion(middle=(10, 8)), FINE)
    assert seen.patch[:20, :10].max() == 0


def test_a_large_box_widens_the_patch() -> None:
    seen = view_of(lesion(half=(50, 10)), FINE)  # 80 mm × 16 mm
    np.testing.assert_allclose(seen.box, [-0.5, 23.5, 59.5, 35.5], atol=1e-4)


def test_a_coarse_patch_is_smooth() -> None:
    """A chequerboard of single pixels is grey at five to a pixel."""
    one = lesion(shape=(400, 400), middle=(200, 200))
    board = (np.indices((400, 400)).sum(axis=0) % 2 * 400 - 160).astype(np.int16)
    case = Case(
        slice_hu=board, window=one.window, spacing=(0.4, 0.4, 1), prompt=case_of(one).prompt
    )
    seen = view_of(case, NARROW)
    np.testing.assert_allclose(seen.patch, 0.5, atol=0.03)


def test_a_case_with_the_lesions_box_is_its_equal() -> None:
    one, other = lesion(), lesion(middle=(40, 40), half=(12, 9))
    alone, known = embed(narrow(), [case_of(one)], CPU), embed(narrow(), [one, other], CPU)
    assert known.shape == (2, 8)
    np.testing.assert_allclose(alone[0], known[0], atol=1e-6)
    assert np.abs(known[0] - known[1]).max() > 1e-3
    elsewhere = embed(narrow(), [case_of(one, 20, 20, 40, 45)], CPU)
    assert np.abs(elsewhere - alone).max() > 1e-3


def test_views_are_embedded_as_what_they_are_of() -> None:
    one = lesion()
    np.testing.assert_allclose(
        embed(narrow(), [view_of(one, NARROW)], CPU), embed(narrow(), [one], CPU), atol=0
    )
    assert embed(narrow(), [], CPU).shape == (0, 8)


def test_a_point_has_no_box() -> None:
    one = lesion()
    case = Case(slice_hu=one.slice_hu, window=one.window, spacing=one.spacing,
                prompt=Click.from_points([[50.0, 50.0]]))  # fmt: skip
    with pytest.raises(InputError, match="by its box"):
        view_of(case, NARROW)
