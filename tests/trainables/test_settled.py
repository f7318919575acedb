"""What every prediction passes: ordered axes in the image, doubts, and nothing found said so."""

from dataclasses import replace

import numpy as np
import pytest

from lesions import Recist, axes
from lesions.prompts import Box, Case, Click
from trainables.settled import settled
from trainables.system import Prediction

SHAPE, SPACING = (40, 50), (0.5, 0.8, 3.0)
CASE = Case(
    slice_hu=np.zeros(SHAPE, np.int16), spacing=SPACING, window=(-160.0, 240.0),
    prompt=Click(at=(20.0, 20.0)),
)  # fmt: skip
CROSS = Recist([(10, 20), (40, 20), (25, 18), (25, 24)])
RNG = np.random.default_rng(1)


def of(points: object, **more: object) -> Prediction:
    return Prediction(recist=Recist(points), **more)  # type: ignore[arg-type]


def disc(x: int, y: int) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    return (np.hypot(rows - y, columns - x) < 4).astype(np.uint8)


def test_a_measurement_that_is_right_stays_as_it_is() -> None:
    found = of(CROSS.points, peaks=(1.0, 2.0, 3.0, 4.0), mask=disc(20, 20))
    after = settled(found, CASE, perpendicular=False)
    assert after.recist == CROSS
    assert (after.found, after.doubt, after.peaks) == (True, "", (1.0, 2.0, 3.0, 4.0))


def test_a_swap_takes_each_ends_uncertainty_along() -> None:
    """The ends of an axis are in another order where it is the long one: each keeps its own."""
    for points in RNG.uniform(0, 39, (100, 4, 2)):
        before = of(points, peaks=(1.0, 2.0, 3.0, 4.0), spread_mm=(0.1, None, 0.3, 0.4))
        after = settled(before, CASE, perpendicular=False)
        assert before.recist is not None
        assert after.recist is not None
        long, short = after.recist.diameters_mm(SPACING)
        assert long >= short
        told = [
            {tuple(end): (peak, spread)
             for end, peak, spread in zip(one.recist.points.tolist(), one.peaks, one.spread_mm,
                                          strict=True)}
            for one in (before, after) if one.recist is not None
        ]  # fmt: skip
        assert told[0] == told[1]


@pytest.mark.parametrize(("lean", "said"), [(9.5, False), (10.5, True), (-30.0, True)])
def test_axes_off_perpendicular_are_said(lean: float, said: bool) -> None:
    """In mm, not in pixels."""
    way = np.array([np.sin(np.radians(lean)), np.cos(np.radians(lean))]) / SPACING[:2]
    found = of([(10, 20), (40, 20), (25, 20) - 2 * way, (25, 20) + 3 * way])
    after = settled(found, CASE, perpendicular=False)
    assert after.recist == found.recist
    assert after.doubt == (f"the axes are {abs(lean):.0f}° off perpendicular" if said else "")
    mended = settled(found, CASE, perpendicular=True)
    assert mended.recist is not None
    assert axes.degrees_off(mended.recist.points, SPACING) == pytest.approx(0, abs=1e-6)
    assert ("turned" in mended.doubt) == said
    assert mended.recist.diameters_mm(SPACING) == pytest.approx(
        found.recist.diameters_mm(SPACING) if found.recist else None
    )


def test_endpoints_outside_are_cut_off_and_said() -> None:
    after = settled(of([(-4, 20), (40, 20), (25, 18), (25, 24)]), CASE, perpendicular=False)
    assert after.recist == Recist([(-0.5, 20), (40, 20), (25, 18), (25, 24)])
    assert after.doubt == "1 endpoint lay outside the image: cut off at its edge"
    assert after.found


def test_an_axis_that_is_cut_may_become_the_short_one() -> None:
    """8.5 px × 0.5 mm are left of it, 6 px × 0.8 mm of the other."""
    after = settled(of([(41, 20), (70, 20), (45, 18), (45, 24)]), CASE, perpendicular=False)
    assert after.recist == Recist([(45, 18), (45, 24), (41, 20), (49.5, 20)])


def test_an_axis_beside_the_image_is_no_measurement() -> None:
    found = of([(60, 20), (90, 20), (25, 18), (25, 24)], mask=disc(20, 20), peaks=(1.0,) * 4)
    after = settled(found, CASE, perpendicular=False)
    assert (after.recist, after.peaks, after.found) == (None, (), True)
    assert after.doubt == "an axis lies outside the image"


@pytest.mark.parametrize(
    "found",
    [
        Prediction(mask=np.zeros(SHAPE, np.uint8)),
        Prediction(mask=np.zeros(SHAPE, np.uint8), recist=CROSS),  # heat maps always have summits
        Prediction(volume=np.zeros((3, *SHAPE), np.uint8)),
    ],
)
def test_nothing_segmented_is_nothing_found(found: Prediction) -> None:
    after = settled(found, CASE, perpendicular=False)
    assert (after.found, after.doubt) == (False, "nothing is segmented")
    own = settled(replace(found, found=False, doubt="own words"), CASE, perpendicular=False)
    assert (own.found, own.doubt) == (False, "own words")


def test_no_answer_at_all_is_nothing_found() -> None:
    after = settled(Prediction(), CASE, perpendicular=False)
    assert (after.found, after.doubt) == (False, "there is no measurement")


def test_a_click_beside_what_is_segmented_is_said() -> None:
    """The nearest of its pixels ends 20 − (8 + 3.5) px off, of 0.5 mm."""
    found = Prediction(mask=disc(8, 20))
    after = settled(found, CASE, perpendicular=False)
    assert (after.found, after.doubt) == (
        True, "the click lies 4.2 mm beside what is segmented"
    )  # fmt: skip
    assert settled(Prediction(mask=disc(18, 21)), CASE, perpendicular=False).doubt == ""
    box = Box.from_points([(5.0, 15.0), (35.0, 25.0)])
    assert settled(found, replace(CASE, prompt=box), perpendicular=False).doubt == ""
