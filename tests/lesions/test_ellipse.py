import json

import nibabel
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lesions.ellipse import ellipse, quarter_ellipse, single_ellipse
from lesions.metrics import segmentation
from lesions.recist import Recist

SHAPE = (60, 80)
ROUND = Recist([(20, 30), (40, 30), (30, 20), (30, 40)])


@st.composite
def crossing(draw):
    """Axes that cross at a random place and angle, well inside an 80 × 60 image."""
    centre = np.array([draw(st.floats(35, 45)), draw(st.floats(25, 35))])
    angle, opening = draw(st.floats(0, 2 * np.pi)), draw(st.floats(np.pi / 3, 2 * np.pi / 3))
    ends = []
    for direction in (angle, angle + opening):
        unit = np.array([np.cos(direction), np.sin(direction)])
        ends += [centre - draw(st.floats(4, 20)) * unit, centre + draw(st.floats(4, 20)) * unit]
    return Recist(ends)


class TestBoth:
    @pytest.mark.parametrize("draw", [quarter_ellipse, single_ellipse])
    def test_a_round_measurement_is_a_disc(self, draw):
        y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
        assert (draw(ROUND, SHAPE) == ((x - 30) ** 2 + (y - 30) ** 2 <= 100)).all()

    @pytest.mark.parametrize("draw", [quarter_ellipse, single_ellipse])
    @pytest.mark.parametrize("scale", [0.5, 1, 4])
    def test_scale_multiplies_the_area(self, draw, scale):
        recist = Recist([(100, 150), (190, 160), (140, 130), (136, 180)])
        area = np.count_nonzero(draw(recist, (300, 300), 1))
        assert np.count_nonzero(draw(recist, (300, 300), scale)) == pytest.approx(
            scale * area, rel=0.02
        )

    @pytest.mark.parametrize("draw", [quarter_ellipse, single_ellipse])
    def test_never_empty_even_between_pixels_and_at_the_border(self, draw):
        tiny = Recist([(10.3, 5.5), (10.6, 5.5), (10.5, 5.4), (10.5, 5.6)])
        assert np.count_nonzero(draw(tiny, SHAPE)) == 1
        corner = Recist([(-0.5, -0.4), (-0.3, -0.4), (-0.4, -0.5), (-0.4, -0.3)])
        assert np.argwhere(draw(corner, SHAPE)).tolist() == [[0, 0]]

    @pytest.mark.parametrize("scale", [0, -1, np.nan])
    def test_refuses_a_scale_that_is_not_positive(self, scale):
        with pytest.raises(ValueError, match="positive"):
            ellipse(ROUND, SHAPE, scale)


class TestQuarterEllipse:
    @given(crossing())
    @settings(deadline=None)
    def test_its_outline_passes_through_all_four_endpoints(self, recist):
        mask = quarter_ellipse(recist, SHAPE)
        for point in recist.points:
            outwards = (point - recist.centre) / np.hypot(*(point - recist.centre))
            x, y = np.rint(point + 2.5 * outwards).astype(int)
            if 0 <= x < SHAPE[1] and 0 <= y < SHAPE[0]:
                assert not mask[y, x]
            x, y = np.rint(point - 1.5 * outwards).astype(int)
            near = mask[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            assert near.any()

    @given(crossing())
    @settings(deadline=None)
    def test_flips_and_turns_with_the_measurement(self, recist):
        mask = quarter_ellipse(recist, SHAPE)
        edge = quarter_ellipse(recist, SHAPE, 1 + 1e-9) ^ quarter_ellipse(recist, SHAPE, 1 - 1e-9)
        assume(not edge.any())
        flipped = recist.transformed([[-1, 0, SHAPE[1] - 1], [0, 1, 0]])
        assert (quarter_ellipse(flipped, SHAPE) == mask[:, ::-1]).all()
        turned = recist.transformed([[0, 1, 0], [-1, 0, SHAPE[1] - 1]])
        assert (quarter_ellipse(turned, SHAPE[::-1]) == np.rot90(mask)).all()

    def test_unequal_halves_give_unequal_quarters(self):
        recist = Recist([(20, 30), (60, 30), (30, 25), (30, 45)])
        mask = quarter_ellipse(recist, SHAPE)
        column, row = mask[:, 30].nonzero()[0], mask[30].nonzero()[0]
        assert (column.min(), column.max()) == (25, 45)
        assert (row.min(), row.max()) == (20, 60)
        # Half way along the longer half, the quarter is √¾ as high.
        assert mask[:, 45].nonzero()[0].max() == int(30 + 15 * np.sqrt(0.75))

    def test_axes_that_do_not_cross_get_the_single_ellipse(self):
        apart = Recist([(20, 20), (50, 20), (35, 24), (36, 40)])
        assert (quarter_ellipse(apart, SHAPE) == single_ellipse(apart, SHAPE)).all()

    def test_an_axis_that_ends_on_the_other_leaves_one_side_empty(self):
        mask = quarter_ellipse(Recist([(20, 20), (50, 20), (35, 20), (35, 40)]), SHAPE)
        assert not mask[:20].any()
        assert mask[20:41, 35].all()


def test_quarters_score_higher_than_one_ellipse_against_human_masks(shared_data):
    scores = {quarter_ellipse: [], single_ellipse: []}
    for tumour in json.loads((shared_data / "sts_ct" / "lesions.json").read_text()):
        file = nibabel.load(shared_data / "sts_ct" / f"{tumour['patient']}_gtv.nii.gz")
        human = np.asarray(file.dataobj[:, :, tumour["largest_slice"]]).T
        recist = Recist.from_mask(human, tumour["spacing_mm"])
        for draw, found in scores.items():
            found.append(segmentation(draw(recist, human.shape), human)["dice"])
    assert np.mean(scores[quarter_ellipse]) > 0.93
    assert np.mean(scores[quarter_ellipse]) > np.mean(scores[single_ellipse]) + 0.01
