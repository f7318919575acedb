import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import linregress

from lesions.metrics import (
    dice_by_offset,
    ellipsoid_volume,
    summary,
    volume_change_r2,
)

volumes = arrays(np.uint8, (4, 3, 3), elements=st.sampled_from([0, 1, 255]))


class TestDiceByOffset:
    def test_by_hand(self):
        truth, pred = np.zeros((2, 6, 1, 4), np.uint8)
        truth[1, 0, :2] = pred[1, 0, :2] = 1
        truth[2, 0, :3] = pred[2, 0, 0] = 1
        truth[3, 0, 0] = 1
        pred[4, 0, 0] = 1
        # Slices 0 and 5 hold nothing.
        assert dice_by_offset(pred, truth, key=2) == {-1: 1, 0: 2 / 4, 1: 0, 2: 0}

    def test_a_slice_whose_lesion_is_uncertain_is_left_out(self):
        truth, pred = np.full((2, 1, 1), 255), np.ones((2, 1, 1), int)
        truth[1] = 1
        assert dice_by_offset(pred, truth, key=0) == {1: 1}

    def test_the_mean_of_each_offset(self):
        one = np.ones((3, 1, 1), bool)
        rows = [dice_by_offset(one, one, key=1), dice_by_offset(one[:2], 0 * one[:2], key=1)]
        found = summary(rows)
        assert (found[0], found[-1], found[1]) == (0.5, 0.5, 1)
        assert found["1_n"] == 1

    @given(volumes, volumes.filter(lambda truth: (truth == 1).any()), st.integers(0, 3))
    def test_each_is_the_dice_of_its_slice(self, pred, truth, key):
        found = dice_by_offset(pred, truth, key)
        assert list(found) == sorted(found)
        known = (pred != 255) & (truth != 255)
        ours, theirs = (pred == 1) & known, (truth == 1) & known
        for level in np.flatnonzero((ours | theirs).any(axis=(1, 2))).tolist():
            both, all_of_it = (ours & theirs)[level].sum(), ours[level].sum() + theirs[level].sum()
            assert found.pop(level - key) == 2 * both / all_of_it
        assert found == {}

    @pytest.mark.parametrize(
        ("shape", "key", "message"),
        [((3, 3), 0, r"\(D, H, W\)"), ((2, 3, 3), 2, "slice 2"), ((2, 3, 3), -1, "slice -1")],
    )
    def test_refuses(self, shape, key, message):
        with pytest.raises(ValueError, match=message):
            dice_by_offset(np.ones(shape, bool), np.ones(shape, bool), key)


def test_ellipsoid_volume():
    # A ball of 20 mm, and one drawn out to double its length.
    assert ellipsoid_volume(20, 20) == pytest.approx(4 / 3 * np.pi * 10**3)
    assert ellipsoid_volume(40, 20) == pytest.approx(2 * ellipsoid_volume(20, 20))


pairs_of_volumes = arrays(np.float64, (6, 2), elements=st.integers(0, 100).map(float))


class TestVolumeChange:
    def test_by_hand(self):
        # True changes −1, 0, 1; measured 0, 0, 3: slope 3/2, residuals 1/2, −1, 1/2.
        truth, measured = [(5, 4), (2, 2), (1, 2)], [(1, 1), (2, 2), (4, 7)]
        assert volume_change_r2(measured, truth) == pytest.approx(1 - 1.5 / 6)

    def test_a_constant_share_of_the_truth_explains_all_of_it(self):
        truth = np.array([(5, 4), (2, 2), (1, 7)])
        assert volume_change_r2(0.5 * truth, truth) == pytest.approx(1)

    def test_no_change_at_all_has_none(self):
        assert np.isnan(volume_change_r2([(1, 2), (2, 3)], [(1, 2), (2, 5)]))

    @given(pairs_of_volumes, pairs_of_volumes)
    def test_agrees_with_scipys_regression(self, measured, truth):
        found = volume_change_r2(measured, truth)
        changes = np.diff(truth).ravel(), np.diff(measured).ravel()
        if min(map(np.ptp, changes)) == 0:
            assert np.isnan(found)
        else:
            assert found == pytest.approx(linregress(*changes).rvalue ** 2, abs=1e-9)
            assert 0 <= found <= 1 + 1e-12

    @pytest.mark.parametrize(
        ("measured", "truth"),
        [([(1, 2)], [(1, 2)]), ([1, 2, 3], [1, 2, 3]), ([(1, 2), (2, 3)], [(1, 2)] * 3)],
    )
    def test_refuses(self, measured, truth):
        with pytest.raises(ValueError, match=r"\(N, 2\)"):
            volume_change_r2(measured, truth)
