import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, gaussian_filter

from lesions.masks.frame import Frame
from lesions.masks.grabcut import grabcut_r
from lesions.masks.grabcut_3d import grabcut_3d
from lesions.masks.strokes import axes_pixels
from lesions.metrics import segmentation
from lesions.readers.nifti import read_nifti
from lesions.recist import Recist

WINDOW = (-175.0, 275.0)
SPACING = (1.0, 1.0, 3.0)
KEY = 5
# A ball of 24 mm in slices of 3 mm: four on each side, the fourth a point.
BALL = Recist([(20, 32), (44, 32), (32, 20), (32, 44)])
OUT_OF_REACH = (0, 1, 9, 10)


def ball(noise=15.0):
    z, y, x = np.mgrid[:11, :64, :64]
    truth = (x - 32) ** 2 + (y - 32) ** 2 + (3 * (z - KEY)) ** 2 <= 144
    hu = np.where(truth, 100, -100) + np.random.default_rng(0).normal(scale=noise, size=truth.shape)
    return hu.astype(np.int16), truth.astype(np.uint8)


def run(hu, probability=None, **kwargs):
    arguments = {"key": KEY, "spacing": SPACING} | kwargs
    return grabcut_3d(hu, BALL, WINDOW, probability=probability, **arguments)


def dice(labels, truth):
    return segmentation((labels == 1).astype(np.uint8), truth)["dice"]


def unsure(truth, pixels):
    """A network's probability: of a lesion so much too large, and blurred by as much."""
    depth = np.array([distance_transform_edt(t) - distance_transform_edt(1 - t) for t in truth])
    return 1 / (1 + np.exp(-(depth + pixels) / 1.5))


def axes_on(index, shape=(64, 64)):
    """The estimated RECIST's pixels on a slice."""
    frame, axes = Frame.about(BALL), np.zeros(shape, bool)
    part, place = frame.overlap(shape)
    axes[place] = axes_pixels(BALL.at_offset(3 * (index - KEY), (1, 1)), frame)[part]
    return axes


class TestFromTheRecistAlone:
    def test_the_key_slice_is_grabcut_r(self):
        hu, _ = ball()
        labels = run(hu)
        assert labels.dtype == np.uint8
        assert (labels[KEY] == grabcut_r(hu[KEY], BALL, WINDOW)).all()

    def test_other_slices_start_from_the_estimated_recist(self):
        hu, _ = ball()
        expected = grabcut_r(hu[7], BALL.at_offset(6, (1, 1)), WINDOW)
        assert (run(hu)[7] == expected).all()

    def test_finds_the_ball(self):
        hu, truth = ball()
        assert dice(run(hu), truth) > 0.95

    def test_beyond_its_reach_there_is_no_lesion(self):
        labels = run(ball()[0])
        assert not labels[list(OUT_OF_REACH)].any()
        assert all((labels[index] == 1).any() for index in range(2, 9))

    def test_the_reach_is_in_mm(self):
        labels = run(ball()[0], spacing=(1, 1, 5.9))
        assert [index for index in range(11) if (labels[index] == 1).any()] == [3, 4, 5, 6, 7]

    def test_the_key_slice_need_not_be_there(self):
        hu, _ = ball()
        assert (run(hu[6:], key=KEY - 6) == run(hu)[6:]).all()

    def test_upside_down_it_is_the_same(self):
        hu, _ = ball()
        assert (run(hu[::-1])[::-1] == run(hu)).all()


class TestFromANetwork:
    def test_a_network_that_has_found_nothing_leaves_it_to_the_recist(self):
        hu, _ = ball()
        within = [index for index in range(11) if index not in OUT_OF_REACH]
        for level in (0, 0.04):
            assert (run(hu, np.full(hu.shape, level))[within] == run(hu)[within]).all()

    @pytest.mark.parametrize("pixels", [-3, 3])
    def test_an_unsure_prediction_too_small_or_too_large_moves_towards_the_edge(self, pixels):
        hu, truth = ball()
        network = unsure(truth, pixels)
        before = dice((network >= 0.5).astype(np.uint8), truth)
        assert dice(run(hu, network), truth) > before + 0.05

    def test_follows_a_lesion_that_is_no_ball(self):
        # A cylinder: the estimated RECIST shrinks, the prediction does not.
        _, truth = ball()
        truth[2:9] = truth[KEY]
        truth[[0, 1, 9, 10]] = 0
        hu = np.where(truth == 1, 100, -100).astype(np.int16)
        network = gaussian_filter(truth.astype(float), (0, 2, 2))
        assert dice(run(hu)[2:9], truth[2:9]) < dice(run(hu, network)[2:9], truth[2:9])
        assert dice(run(hu, network)[2:9], truth[2:9]) > 0.97

    def test_rounding_beyond_0_and_1_changes_nothing(self):
        hu, truth = ball()
        network = truth.astype(float)
        rounded = network + np.where(truth == 1, 1e-9, -1e-9)
        assert (run(hu, rounded) == run(hu, network)).all()

    def test_the_threshold_is_lowered_until_half_of_the_recist_is_covered(self):
        hu, truth = ball()
        network = gaussian_filter(truth.astype(float), (0, 1, 1))
        faint = run(hu, 0.3 * network)
        # At 0.5 there would be no prediction at all, and uncertain pixels beyond the reach.
        assert dice(faint, run(hu, network)) > 0.9

    def test_another_lesion_is_never_taken_for_this_one(self):
        hu, truth = ball()
        network = gaussian_filter(truth.astype(float), (0, 1, 1))
        alone = run(hu, network)
        network[:, 12:16, 12:16] = hu[:, 12:16, 12:16] = 1
        both = run(hu, network)
        assert not (both[:, 12:16, 12:16] == 1).any()
        assert dice(both, alone) > 0.98

    def test_beyond_the_recists_reach_what_it_sees_is_uncertain(self):
        hu, _ = ball()
        network = np.zeros(hu.shape)
        network[0, 30:34, 30:34] = 0.9
        network[0, 0, 0] = 0.9  # beyond twice the box
        labels = run(hu, network)
        assert np.argwhere(labels[0]).tolist() == [
            [y, x] for y in range(30, 34) for x in range(30, 34)
        ]
        assert set(np.unique(labels[0])) == {0, 255}

    def test_where_no_edge_is_found_recist_and_network_have_to_agree(self):
        # Certain everywhere: nothing is left to cut. The prediction misses the axes' lower ends.
        hu, truth = ball()
        network = truth.astype(float)
        network[:, 34:] = 0
        network[:, 12:15, 12:15] = 1
        labels = run(hu, network)[KEY]
        seen, axes = network[KEY] == 1, axes_on(KEY)
        seen[12:15, 12:15] = False
        assert (labels[seen] == 1).all()
        assert (labels[axes & ~seen] == 255).all()
        assert (labels[12:15, 12:15] == 255).all()
        assert np.count_nonzero(labels) == np.count_nonzero(seen | axes) + 9

    def test_a_single_slice_is_post_processing(self):
        hu, truth = ball()
        network = gaussian_filter(truth.astype(float), (0, 1, 1))
        one = run(hu[KEY : KEY + 1], network[KEY : KEY + 1], key=0)
        assert (one[0] == run(hu, network)[KEY]).all()

    @given(st.integers(0, 9999), st.floats(0, 3), st.floats(0.2, 5))
    @settings(deadline=None, max_examples=30)
    def test_never_an_error_and_never_lesion_out_of_reach(self, seed, blur, power):
        rng = np.random.default_rng(seed)
        shape = (3, rng.integers(1, 40), rng.integers(1, 40))
        hu = gaussian_filter(rng.normal(scale=300, size=shape), blur).astype(np.int16)
        recist = Recist(rng.uniform(-0.5, np.array(shape[:0:-1]) - 0.5, size=(4, 2)))
        network = rng.random(shape) ** power
        labels = grabcut_3d(hu, recist, WINDOW, key=0, spacing=SPACING, probability=network)
        assert np.isin(labels, (0, 1, 255)).all()
        for index in range(3):
            if recist.at_offset(3 * index, SPACING) is None:
                assert not (labels[index] == 1).any()
        again = grabcut_3d(hu, recist, WINDOW, key=0, spacing=SPACING, probability=network)
        assert (labels == again).all()


class TestRefuses:
    @pytest.mark.parametrize("spacing", [(1, 1), (1, 1, 0), (1, 1, np.nan), (1, 1, 1, 1)])
    def test_a_spacing_that_is_none(self, spacing):
        with pytest.raises(ValueError, match="spacing"):
            run(ball()[0], spacing=spacing)

    @pytest.mark.parametrize("level", [-0.1, 1.1, np.nan])
    def test_a_probability_that_is_none(self, level):
        with pytest.raises(ValueError, match="between 0 and 1"):
            run(ball()[0], np.full((11, 64, 64), level))

    def test_a_probability_of_another_shape(self):
        with pytest.raises(ValueError, match="the volume"):
            run(ball()[0], np.ones((11, 64, 63)))

    def test_a_slice(self):
        with pytest.raises(ValueError, match=r"\(D, H, W\)"):
            run(ball()[0][0])


def test_against_human_masks_it_is_worse_the_further_away(shared_data):
    """The paper's GrabCut-3DE has 0.675 in 3D, 0.91 on the key slice and 0.55 four slices away."""
    whole, key_slices, fourth = [], [], []
    for tumour in json.loads((shared_data / "sts_ct" / "lesions.json").read_text())[:5]:
        stem = str(shared_data / "sts_ct" / tumour["patient"])
        volume, human = read_nifti(f"{stem}_ct.nii.gz"), read_nifti(f"{stem}_gtv.nii.gz")
        truth = (human.hu > 0).astype(np.uint8)
        key = int(truth.sum(axis=(1, 2)).argmax())
        recist = Recist.from_mask(truth[key], volume.spacing)
        labels = grabcut_3d(volume.hu, recist, (-50, 150), key=key, spacing=volume.spacing)
        whole.append(dice(labels, truth))
        key_slices.append(dice(labels[key], truth[key]))
        fourth += [dice(labels[index], truth[index]) for index in (key - 4, key + 4)]
    assert np.mean(whole) > 0.7
    assert np.mean(key_slices) > np.mean(whole) > 0.9 * np.mean(fourth)
