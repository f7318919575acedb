"""The picture of an answer: what it shows where the system does not say what it looked at."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dashboards.plots.overlays import MARGIN, SIZE, answer_overlay
from lesions.prompts import Box, Click
from lesions.readers.prompted import PromptedSlice
from lesions.recist import Recist
from tests.dashboards.plots.test_overlays import decode, near

SHAPE = (60, 80)


def seen(*at: tuple[int, int]) -> PromptedSlice:
    """A dark slice with bright pixels (x, y)."""
    hu = np.full(SHAPE, -1000, np.int16)
    for x, y in at:
        hu[y, x] = 1000
    return PromptedSlice(
        image=Path("a.png"), kind="png", hu=hu, spacing=(1.0, 1.0, 1.0), index=0,
        prompt=Click(at=(1.0, 1.0)), to_image=np.eye(4), image_shape=SHAPE,
    )  # fmt: skip


def bright(png: bytes) -> int:
    """How many pixels of the picture are as white as a bright pixel, above the scale bar."""
    return int((decode(png)[: int(0.9 * SIZE)] > 250).all(axis=-1).sum())


def test_nothing_found_shows_the_whole_slice() -> None:
    window = (-100.0, 100.0)
    dark = bright(answer_overlay(seen(), window, None, None, None))
    for corner in ((0, 0), (79, 0), (0, 50), (79, 50)):
        whole = answer_overlay(seen(corner), window, None, None, None)
        assert bright(whole) - dark == pytest.approx((SIZE / 81) ** 2, abs=10), "one pixel's block"


def test_what_was_found_is_shown_with_a_margin() -> None:
    """A square MARGIN × as large: a pixel within it is seen, one beyond it is not."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[20:30, 30:40] = 1
    half = MARGIN * 10 / 2
    window = (-100.0, 100.0)
    within = (round(34.5 + half) - 2, 25)
    beyond = (round(34.5 + half) + 2, 25)
    nothing = bright(answer_overlay(seen(), window, mask, None, None))
    assert bright(answer_overlay(seen(within), window, mask, None, None)) > nothing
    assert bright(answer_overlay(seen(beyond), window, mask, None, None)) == nothing
    recist = Recist([(30, 25), (39, 25), (35, 20), (35, 29)])
    measured = bright(answer_overlay(seen(), window, None, recist, None))
    assert bright(answer_overlay(seen(within), window, None, recist, None)) > measured
    assert bright(answer_overlay(seen(beyond), window, None, recist, None)) == measured


# A quarter turn, and a pixel of the view is half a pixel of the slice: the view shows a square of
# 20 pixels about (34.5, 24.5), its right being the slice's lower side.
VIEW = (np.array([[0.0, -0.5, 44.25], [0.5, 0.0, 14.75]]), 40)
BLUE, YELLOW, GREEN = (92, 200, 255), (255, 209, 102), (43, 255, 136)


def both(
    at: tuple[int, int] = (0, 0), *, recist: Recist | None = None, side: float = 24.0,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # fmt: skip
    """The slice and the view of a box in a part of 24 pixels, with a bright pixel."""
    told = replace(seen(at), prompt=Box(low=(24.5, 16.5), high=(44.5, 32.5)), spacing=spacing)
    part = (34.5, 24.5), side
    picture = decode(answer_overlay(told, (-100.0, 100.0), None, recist, part, VIEW))
    assert picture.shape == (SIZE, 2 * SIZE, 3)
    return picture[:, :SIZE], picture[:, SIZE:]


def spot(mask: NDArray[np.bool_]) -> list[float]:
    """The middle (x, y) of what is marked, 0…1 of the panel."""
    rows, columns = np.nonzero(mask)
    return [float(each.mean() + 0.5) / SIZE for each in (columns, rows)]


def extent(mask: NDArray[np.bool_]) -> list[float]:
    """Left, top, right, bottom of what is marked, 0…1 of the panel."""
    rows, columns = np.nonzero(mask)
    return [float(each) / SIZE for each in (columns.min(), rows.min(), columns.max() + 1,
                                            rows.max() + 1)]  # fmt: skip


def white(panel: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray((panel > 250).all(axis=-1))


def test_a_view_is_beside_the_slice_as_it_was_turned() -> None:
    """A pixel 4.5 to the right of the middle and 1.5 below it is 1.5 to the right and 4.5 above."""
    left, right = (white(panel[: int(0.9 * SIZE)]) for panel in both((39, 26)))
    assert spot(left) == pytest.approx([(39 - 22.5) / 24, (26 - 12.5) / 24], abs=0.01)
    assert spot(right) == pytest.approx([0.5 + 1.5 / 20, 0.5 - 4.5 / 20], abs=0.01)


def test_the_box_and_the_view_are_outlined_on_the_slice() -> None:
    left, right = both()
    assert extent(near(left, YELLOW)) == pytest.approx([2 / 24, 4 / 24, 22 / 24, 20 / 24], abs=0.01)
    assert extent(near(left, BLUE)) == pytest.approx([2 / 24, 2 / 24, 22 / 24, 22 / 24], abs=0.01)
    assert extent(near(right, BLUE)) == [0, 0, 1, 1]
    # The view's upper left is the slice's upper right.
    on_left, on_right = ((43.05 - 22.5) / 24, (15.95 - 12.5) / 24), (2.9 / 40, 2.9 / 40)
    for panel, (x, y) in ((left, on_left), (right, on_right)):
        for column, dotted in ((x, True), (1 - x, False)):
            pixel = panel[None, int(y * SIZE), int(column * SIZE)][None]
            assert bool(near(pixel, BLUE)) is dotted


def test_axes_are_drawn_in_the_view_too_and_nothing_found_is_not() -> None:
    recist = Recist([(34.5, 18.5), (34.5, 30.5), (32.5, 24.5), (36.5, 24.5)])
    left, right = (near(panel, GREEN) for panel in both(recist=recist))
    assert extent(left) == pytest.approx([10 / 24, 6 / 24, 14 / 24, 18 / 24], abs=0.02)
    assert extent(right) == pytest.approx([4 / 20, 8 / 20, 16 / 20, 12 / 20], abs=0.02)
    assert not any(near(panel, GREEN).any() for panel in both())


def test_a_view_is_black_beyond_what_was_looked_at_and_the_slice_shows_all_of_it() -> None:
    """Of a part of 12 pixels within the view's 20, a pixel 8 from the middle is not looked at."""
    for side, shown in ((24.0, True), (12.0, False)):
        left, right = (white(panel[: int(0.9 * SIZE)]) for panel in both((42, 24), side=side))
        assert left.any()
        assert bool(right.any()) is shown
    left, _ = both(side=12.0)
    margin = 0.05 / 2.1
    assert extent(near(left, BLUE)) == pytest.approx(
        [margin, margin, 1 - margin, 1 - margin], abs=0.01
    )


def test_pixels_that_are_no_squares_are_told_by_two_bars() -> None:
    """10 mm are 20 pixels across and 5 down; in the view, turned, 5 across and 20 down."""
    left, right = (white(panel) for panel in both(spacing=(0.5, 2.0, 1.0)))
    for panel, across, down in ((left, 20 / 24, 5 / 24), (right, 5 / 20, 20 / 20)):
        x0, y0, x1, y1 = extent(panel)
        assert x1 - x0 == pytest.approx(min(across, 0.95), abs=0.02)
        assert y1 - y0 == pytest.approx(min(down, 0.95), abs=0.02)
    x0, y0, x1, y1 = extent(white(both(spacing=(2.0, 2.0, 1.0))[0]))
    assert (x1 - x0, y1 - y0) == pytest.approx((5 / 24, 0), abs=0.02)


def test_a_square_that_is_said_is_shown() -> None:
    window = (-100.0, 100.0)
    for at, shown in (((42, 25), True), ((50, 25), False)):
        picture = answer_overlay(seen(at), window, None, None, ((34.5, 24.5), 20.0))
        assert (bright(picture) > 0) is shown
