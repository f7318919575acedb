"""Made shapes: exact volumes, and figures within bounds of what people's masks measure."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from lesions.phantom import measured
from lesions.phantom.shapes import Fractions, ball, draw_shape, shape_of
from lesions.recist import Recist
from tests.lesions.phantom.measuring import outline_harmonics


@pytest.mark.parametrize("radius", [3.0, 5.0, 15.0])
@pytest.mark.parametrize("spacing", [(0.8, 0.8, 5.0), (0.7, 0.9, 1.25), (1.0, 1.0, 1.0)])
def test_a_ball_has_its_volume(radius: float, spacing: tuple[float, float, float]) -> None:
    made = ball(radius).fractions(spacing, np.array([100.3, 57.9, 7.4]))
    assert made.volume_mm3 == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.005)


def test_an_ellipsoid_has_its_volume_whatever_its_axes() -> None:
    shape = ball(1.0)
    stretched = type(shape)(axes=np.diag([9.0, 4.0, 6.0]), radii=shape.radii)
    made = stretched.fractions((0.8, 0.6, 2.0), np.array([0.1, -0.3, 0.5]))
    assert made.volume_mm3 == pytest.approx(4 / 3 * np.pi * 9 * 4 * 6, rel=0.005)


def test_a_ball_between_voxels_fills_them_by_their_share() -> None:
    """Radius 2 about the corner of eight voxels of 4 mm: each holds an eighth of the ball."""
    made = ball(2.0).fractions((4.0, 4.0, 4.0), np.array([0.5, 0.5, 0.5]))
    held = made.values[made.values > 0]
    assert len(held) == 8
    assert_allclose(held, 4 / 3 * np.pi * 8 / 8 / 64, rtol=0.03)
    assert not made.mask.any()


def test_the_box_says_where_it_lies() -> None:
    made = ball(3.0).fractions((1.0, 1.0, 1.0), np.array([20.0, 30.0, 40.0]))
    z, y, x = np.argwhere(made.mask).mean(axis=0)
    assert_allclose(np.array([x, y, z]) + made.first, [20, 30, 40], atol=1e-9)
    assert made.mask.sum(axis=(1, 2)).argmax() + made.first[2] == 40


def test_a_shape_has_the_sizes_that_were_asked_for() -> None:
    random = np.random.default_rng(3)
    for sizes in ((20.0, 14.0, 18.0), (12.0, 11.0, 25.0), (30.0, 15.0, 9.0)):
        made = shape_of(sizes, random)
        outline = made.surface[32, :-1, :2]
        between = np.linalg.norm(outline[:, None] - outline, axis=-1)
        assert between.max() == pytest.approx(sizes[0], rel=0.02)
        assert np.ptp(made.surface[..., 2]) == pytest.approx(sizes[2], rel=0.02)


def test_scaled_to_half_it_has_an_eighth_of_the_volume() -> None:
    shape = draw_shape(np.random.default_rng(1))
    whole, half = (s.fractions((0.8, 0.8, 1.0), np.zeros(3)) for s in (shape, shape.scaled(0.5)))
    assert half.volume_mm3 == pytest.approx(whole.volume_mm3 / 8, rel=0.01)


SPACING = (0.8, 0.8, 2.5)


def figures_of(made: Fractions) -> tuple[float, ...] | None:
    """Long axis, short ÷ long, z extent ÷ long, volume ratio and 11 harmonics; as of ULS23."""
    areas = made.mask.sum(axis=(1, 2))
    if areas.max() < 60:
        return None
    key = made.mask[areas.argmax()]
    long, short = Recist.from_mask(key.astype(np.uint8), SPACING).diameters_mm(SPACING)
    volume = areas.sum() * np.prod(SPACING)
    height = (areas > 0).sum() * SPACING[2]
    ratios = (long, short / long, height / long, volume / (np.pi / 6 * long * short**2))
    return (*ratios, *outline_harmonics(key, SPACING))


@pytest.fixture(scope="module")
def figures() -> np.ndarray:
    """Of 500 shapes, those with a key slice of 60 pixels and more."""
    random = np.random.default_rng(0)
    centres = random.uniform(-0.5, 0.5, (500, 3))
    made = [draw_shape(random).fractions(SPACING, centre) for centre in centres]
    return np.array([found for one in made if (found := figures_of(one))])


@pytest.mark.parametrize(
    ("column", "wanted", "within"),
    [
        (0, measured.LONG_AXIS_MM, 0.16),
        (1, measured.SHORT_BY_LONG, 0.06),
        (2, measured.Z_EXTENT_BY_LONG, 0.20),
        (3, measured.VOLUME_RATIO, 0.30),
    ],
    ids=["long axis", "short by long", "z extent by long", "volume ratio"],
)
def test_500_shapes_have_the_measured_quantiles(
    figures: np.ndarray, column: int, wanted: measured.Quantiles, within: float
) -> None:
    assert len(figures) > 450
    assert_allclose(measured.quantiles(figures[:, column]), wanted.values, rtol=within)


def test_500_outlines_have_the_measured_harmonics(figures: np.ndarray) -> None:
    rms = np.sqrt((figures[:, 5:] ** 2).mean(axis=0))
    assert_allclose(rms, measured.HARMONICS, rtol=0.15, atol=0.006)
