"""The picture of an answer: what it shows where the system does not say what it looked at."""

from pathlib import Path

import numpy as np
import pytest

from dashboards.plots.overlays import MARGIN, SIZE, answer_overlay
from lesions.prompts import Click
from lesions.readers.prompted import PromptedSlice
from lesions.recist import Recist
from tests.dashboards.plots.test_overlays import decode

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


def test_a_square_that_is_said_is_shown() -> None:
    window = (-100.0, 100.0)
    for at, shown in (((42, 25), True), ((50, 25), False)):
        picture = answer_overlay(seen(at), window, None, None, ((34.5, 24.5), 20.0))
        assert (bright(picture) > 0) is shown
