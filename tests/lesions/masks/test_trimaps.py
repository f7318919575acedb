import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesions.masks.frame import Frame
from lesions.masks.strokes import axes_pixels
from lesions.masks.trimaps import (
    BACKGROUND,
    CORE,
    FOREGROUND,
    PROBABLE_BACKGROUND,
    PROBABLE_FOREGROUND,
    Trimap,
    box_trimap,
    distance_trimap,
    recist_trimap,
)
from lesions.recist import Recist

RECIST = Recist([(20, 32), (44, 32), (32, 22), (32, 42)])
ONE_PIXEL = Recist([(2.5, 2), (3.5, 2), (3, 1.5), (3, 2.5)])
quarters = st.integers(0, 160).map(lambda n: n / 4)
recists = (
    st.lists(st.tuples(quarters, quarters), min_size=4, max_size=4)
    .filter(lambda p: p[0] != p[1] and p[2] != p[3])
    .map(Recist)
)


def counts(trimap):
    return np.bincount(trimap.regions.ravel(), minlength=4)


class TestRecistTrimap:
    def test_the_papers_shares(self):
        recist = RECIST.transformed([[8, 0, 0], [0, 8, 0]])
        parts = counts(recist_trimap(recist)) / counts(recist_trimap(recist)).sum()
        np.testing.assert_allclose(parts, [0.5, 0.1, 0.2, 0.2], atol=0.005)

    def test_by_hand(self):
        # Region 49 × 41; the inner box |x| <= 16.97, |y| <= 14.14 of its centre: 33 × 29.
        trimap = recist_trimap(RECIST)
        outside, sure, background, foreground = counts(trimap)
        assert outside == 49 * 41 - 33 * 29
        assert sure == round(0.1 * 49 * 41)
        assert foreground + background == 33 * 29 - sure
        assert 0 <= foreground - background <= 1

    @given(recists)
    @settings(deadline=None)
    def test_axes_are_foreground_and_probable_foreground_is_nearer_to_them(self, recist):
        trimap = recist_trimap(recist)
        axes = axes_pixels(recist, trimap.frame)
        assert (trimap.regions[axes] == FOREGROUND).all()
        _, _, background, foreground = counts(trimap)
        assert 0 <= foreground - background <= 1
        assert counts(trimap)[BACKGROUND] > 0

    def test_probable_foreground_lies_between(self):
        trimap = recist_trimap(RECIST)
        distance = trimap.frame.from_axes(RECIST)
        near, far = (
            distance[trimap.regions == region].mean()
            for region in (PROBABLE_FOREGROUND, PROBABLE_BACKGROUND)
        )
        assert distance[trimap.regions == FOREGROUND].mean() < near < far

    def test_one_pixel_is_all_foreground(self):
        assert recist_trimap(ONE_PIXEL).regions.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


class TestBoxTrimap:
    def test_the_box_is_padded_by_a_quarter_in_all(self):
        # 24 × 20 becomes 30 × 25: |x| <= 15, |y| <= 12.5.
        trimap = box_trimap(RECIST)
        y, x = np.nonzero(trimap.regions == PROBABLE_FOREGROUND)
        assert (x.min() + 8, x.max() + 8, y.min() + 12, y.max() + 12) == (17, 47, 20, 44)
        assert counts(trimap)[PROBABLE_FOREGROUND] == 31 * 25
        assert counts(trimap)[BACKGROUND] == 49 * 41 - 31 * 25

    def test_the_core_is_a_fifth_of_the_box(self):
        recist = RECIST.transformed([[8, 0, 0], [0, 8, 0]])
        _, sure, _, uncertain = counts(box_trimap(recist, CORE))
        assert sure / (sure + uncertain) == pytest.approx(0.2, abs=0.005)


class TestDistanceTrimap:
    def test_by_hand(self):
        frame = Frame(left=0, top=0, width=8, height=1)
        line = Recist([(0, 0), (1, 0), (0.5, -0.5), (0.5, 0.5)])
        at = np.arange(8)[None]
        trimap = distance_trimap(line, frame, foreground=at < 2, background=at == 7)
        assert trimap.regions.tolist() == [[1, 1, 3, 3, 3, 2, 2, 0]]

    def test_without_any_background_the_split_is_still_half_and_half(self):
        frame = Frame.about(RECIST)
        axes = axes_pixels(RECIST, frame)
        trimap = distance_trimap(RECIST, frame, foreground=axes, background=np.zeros_like(axes))
        _, sure, background, foreground = counts(trimap)
        assert sure == axes.sum()
        assert 0 <= foreground - background <= 1


class TestLabels:
    REGIONS = np.array([[0, 1, 2], [3, 1, 0]], np.uint8)

    def test_what_is_uncertain_does_not_count(self):
        frame = Frame(left=1, top=2, width=3, height=2)
        labels = Trimap(regions=self.REGIONS, frame=frame).labels((5, 5))
        assert labels.dtype == np.uint8
        assert labels[2:4, 1:4].tolist() == [[0, 1, 255], [255, 1, 0]]
        assert np.count_nonzero(labels) == 4

    def test_is_cut_off_at_the_images_border(self):
        frame = Frame(left=-1, top=-1, width=3, height=2)
        labels = Trimap(regions=self.REGIONS, frame=frame).labels((2, 2))
        assert labels.tolist() == [[1, 0], [0, 0]]
