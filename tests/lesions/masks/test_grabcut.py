import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from lesions.ellipse import ellipse
from lesions.masks.frame import Frame
from lesions.masks.grabcut import cut, edge, grabcut, grabcut_i, grabcut_r
from lesions.masks.strokes import strokes
from lesions.masks.trimaps import Trimap, box_trimap, recist_trimap
from lesions.metrics import segmentation
from lesions.readers.deeplesion import read_deeplesion
from lesions.recist import Recist
from lesions.sample import ROOT as SAMPLE

WINDOW = (-175.0, 275.0)
RECIST = Recist([(20, 32), (44, 32), (32, 22), (32, 42)])
METHODS = (grabcut, grabcut_i, grabcut_r)


def bright_ellipse(noise=15.0):
    """A lesion of 100 HU in fat, 24 × 20 pixels."""
    truth = ellipse(RECIST, (64, 64)).astype(np.uint8)
    hu = np.where(truth == 1, 100, -100) + np.random.default_rng(0).normal(
        scale=noise, size=(64, 64)
    )
    return hu.astype(np.int16), truth


@st.composite
def any_slice_and_recist(draw):
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    shape = draw(st.integers(1, 50)), draw(st.integers(1, 50))
    hu = (300 * gaussian_filter(rng.normal(size=shape), draw(st.floats(0, 4)))).astype(np.int16)
    return hu, Recist(rng.uniform(-0.5, np.array(shape[::-1]) - 0.5, size=(4, 2)))


class TestFindsTheLesion:
    @pytest.mark.parametrize("method", METHODS)
    def test_with_a_clear_edge(self, method):
        hu, truth = bright_ellipse()
        labels = method(hu, RECIST, WINDOW)
        assert labels.dtype == np.uint8
        assert segmentation(labels, truth)["dice"] > 0.97

    @pytest.mark.parametrize("method", METHODS)
    def test_also_where_the_image_cuts_it_off(self, method):
        hu, truth = bright_ellipse()
        near = RECIST.transformed([[1, 0, -26], [0, 1, -30]])
        labels = method(hu[30:, 26:], near, WINDOW)
        assert segmentation(labels, truth[30:, 26:])["dice"] > 0.95

    @pytest.mark.parametrize("method", METHODS)
    def test_looks_at_nothing_beyond_twice_the_box(self, method):
        hu, _ = bright_ellipse()
        wide = np.random.default_rng(1).normal(scale=300, size=(200, 180)).astype(np.int16)
        wide[100:164, 80:144] = hu
        moved = RECIST.transformed([[1, 0, 80], [0, 1, 100]])
        expected = np.zeros(wide.shape, np.uint8)
        expected[100:164, 80:144] = method(hu, RECIST, WINDOW)
        assert (method(wide, moved, WINDOW) == expected).all()


class TestPure:
    """Its random initial clusters are a matter of the arguments alone."""

    @staticmethod
    def cases():
        rng = np.random.default_rng(3)
        hu = gaussian_filter(rng.normal(scale=400, size=(8, 64, 64)), (0, 1, 1)).astype(np.int16)
        return [(method, slice_hu) for slice_hu in hu for method in METHODS]

    @staticmethod
    def run(case):
        method, slice_hu = case
        return method(slice_hu, RECIST, WINDOW).tobytes()

    def test_whatever_ran_before(self):
        cases = self.cases()
        expected = [self.run(case) for case in cases]
        cv2.setRNGSeed(12345)
        cv2.randu(np.zeros((50, 50), np.uint8), 0, 255)
        assert [self.run(case) for case in reversed(cases)] == expected[::-1]

    def test_in_threads_at_once(self):
        cases = self.cases()
        expected = [self.run(case) for case in cases]
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(self.run, cases * 3)) == expected * 3

    def test_with_any_number_of_opencvs_own_threads(self):
        cases, threads = self.cases(), cv2.getNumThreads()
        try:
            results = []
            for count in (1, 4):
                cv2.setNumThreads(count)
                results.append([self.run(case) for case in cases])
        finally:
            cv2.setNumThreads(threads)
        assert results[0] == results[1]

    @classmethod
    def digest(cls):
        return hashlib.sha256(b"".join(map(cls.run, cls.cases()))).hexdigest()

    def test_in_another_process(self):
        code = "from tests.lesions.masks.test_grabcut import TestPure; print(TestPure.digest())"
        there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert there.stdout.decode().strip() == self.digest()

    def test_leaves_its_arguments_alone(self):
        hu, _ = bright_ellipse()
        trimap = recist_trimap(RECIST)
        before, regions = hu.copy(), trimap.regions.copy()
        hu.flags.writeable = trimap.regions.flags.writeable = False
        cut(hu, trimap, WINDOW)
        assert (hu == before).all()
        assert (trimap.regions == regions).all()


class TestNoEdge:
    @pytest.mark.parametrize("hu", [-3000, 40, 3000])
    def test_on_a_flat_slice_the_axes_hold_the_cut_open(self, hu):
        flat = np.full((64, 64), hu, np.int16)
        oval = ellipse(RECIST, flat.shape)
        assert segmentation(grabcut_r(flat, RECIST, WINDOW), oval)["dice"] > 0.9

    def test_on_a_flat_slice_a_core_is_no_edge(self):
        flat = np.full((64, 64), 40, np.int16)
        expected = box_trimap(RECIST, 0.2).labels(flat.shape)
        assert (grabcut_i(flat, RECIST, WINDOW) == expected).all()

    def test_nothing_gained_leaves_the_trimap_with_uncertain_pixels(self):
        # A bright core in dark surroundings: all that is uncertain goes to the background.
        trimap = box_trimap(RECIST, 0.2)
        hu = np.where(trimap.labels((64, 64)) == 1, 200, -100).astype(np.int16)
        labels = grabcut_i(hu, RECIST, WINDOW)
        assert edge(hu, trimap, WINDOW) is None
        assert (labels == trimap.labels((64, 64))).all()
        assert set(np.unique(labels)) == {0, 1, 255}

    def test_everything_gained_does_too(self):
        trimap = recist_trimap(RECIST)
        labels = trimap.labels((64, 64))
        hu = np.where(labels > 0, 200, -100).astype(np.int16)
        assert (grabcut_r(hu, RECIST, WINDOW) == labels).all()
        assert 255 in labels

    def test_without_sure_foreground_it_stays_empty_as_in_the_paper(self):
        flat = np.full((64, 64), 40, np.int16)
        assert not grabcut(flat, RECIST, WINDOW).any()

    @pytest.mark.parametrize("region", [0, 1, 2, 3])
    def test_a_trimap_of_one_region_is_no_error(self, region):
        frame = Frame(left=2, top=2, width=9, height=9)
        trimap = Trimap(regions=np.full((9, 9), region, np.uint8), frame=frame)
        labels = cut(bright_ellipse()[0], trimap, WINDOW)
        assert labels.sum() == (81 if region == 1 else 0)

    @pytest.mark.parametrize("method", METHODS)
    def test_one_pixel(self, method):
        hu = np.full((9, 9), -100, np.int16)
        hu[4, 4] = 100
        one = Recist([(3.5, 4), (4.5, 4), (4, 3.5), (4, 4.5)])
        labels = method(hu, one, WINDOW)
        expected = [] if method is grabcut else [[4, 4]]
        assert np.argwhere(labels == 1).tolist() in (expected, [[4, 4]])

    @pytest.mark.parametrize("method", METHODS)
    def test_a_recist_beside_the_image_finds_nothing(self, method):
        away = RECIST.transformed([[1, 0, 500], [0, 1, 0]])
        assert not method(bright_ellipse()[0], away, WINDOW).any()

    @given(any_slice_and_recist())
    @settings(deadline=None)
    def test_never_an_error(self, case):
        hu, recist = case
        for method in METHODS:
            labels = method(hu, recist, WINDOW)
            assert labels.shape == hu.shape
            assert labels.dtype == np.uint8
            assert np.isin(labels, (0, 1, 255)).all()
        assert (grabcut_i(hu, recist, WINDOW) == 1).any()
        sure = recist_trimap(recist).labels(hu.shape) == 1
        assert (grabcut_r(hu, recist, WINDOW)[sure] == 1).all()


@pytest.mark.parametrize("window", [(100, 100), (200, -100), (np.nan, 1)])
def test_refuses_a_window_that_is_none(window):
    with pytest.raises(ValueError, match="window"):
        grabcut_r(bright_ellipse()[0], RECIST, window)


def test_refuses_a_volume():
    with pytest.raises(ValueError, match=r"\(H, W\)"):
        grabcut_r(np.zeros((3, 64, 64), np.int16), RECIST, WINDOW)


def test_against_human_masks_the_methods_come_in_the_papers_order():
    lesions, _ = read_deeplesion(SAMPLE)
    dice = {
        method.__name__: np.mean([
            segmentation(
                (method(lesion.slice_hu, lesion.recist, lesion.window) == 1), lesion.mask("human")
            )["dice"]
            for lesion in lesions[::8]
        ])
        for method in (strokes, *METHODS)
    }  # fmt: skip
    assert dice["grabcut_r"] > dice["grabcut_i"] > dice["strokes"] > dice["grabcut"]
    assert dice["grabcut_r"] > 0.78
