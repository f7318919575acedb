import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lesions.metrics import average_hausdorff

PLANES, VOLUMES = (6, 7), (3, 5, 4)
SPACINGS = ((1, 1, 1), (0.7, 0.7, 5), (0.7, 0.7, 0.3), (0.7, 0.9, 2.5))

masks = st.sampled_from([PLANES, VOLUMES, (1, 9), (9, 1), (11,)]).flatmap(
    lambda shape: st.tuples(*[arrays(np.bool_, shape).filter(np.any)] * 2)
)
label_images = (
    st.sampled_from([PLANES, VOLUMES])
    .flatmap(
        lambda shape: st.tuples(
            *[arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 255]))] * 2
        )
    )
    .filter(lambda pair: (pair[1] == 1).any() or not pair[1].any())
)
spacings = st.sampled_from([None, *SPACINGS])


def brute_force(pred, truth, spacing, combine="mean"):
    """All pairs of the pixels that count."""
    certain = (pred != 255) & (truth != 255)
    scale = np.ones(pred.ndim) if spacing is None else np.array(spacing[: pred.ndim][::-1])
    ours, theirs = (np.argwhere((m == 1) & certain) * scale for m in (pred, truth))
    if not certain.any() or (len(ours) == 0) != (len(theirs) == 0):
        return np.nan
    if len(ours) == 0:
        return np.nan if (truth == 1).any() else 0.0
    pairs = np.linalg.norm(ours[:, None] - theirs, axis=2)
    there, back = pairs.min(axis=1).mean(), pairs.min(axis=0).mean()
    return (there + back) / 2 if combine == "mean" else max(there, back)


class TestByHand:
    PRED = np.array([[1, 1, 0, 0, 0, 0, 0]])
    TRUTH = np.array([[1, 0, 0, 0, 1, 0, 1]])

    def test_the_mean_of_two_means(self):
        # From the prediction 0, 1; from the truth 0, 3, 5.
        assert average_hausdorff(self.PRED, self.TRUTH) == pytest.approx((1 / 2 + 8 / 3) / 2)

    def test_or_their_maximum(self):
        assert average_hausdorff(self.PRED, self.TRUTH, combine="max") == pytest.approx(8 / 3)

    def test_all_lesion_pixels_count_and_not_the_outline_alone(self):
        truth = np.zeros((9, 9), bool)
        truth[2:7, 2:7] = True
        pred = truth.copy()
        pred[4, 8] = True
        # One pixel of 26 lies 2 from the truth; the truth lies within the prediction.
        assert average_hausdorff(pred, truth) == pytest.approx(2 / 26 / 2)

    def test_spacing_is_that_of_each_direction(self):
        one, other = np.zeros((2, 3, 4, 5), bool)
        one[0, 0, 0] = other[2, 3, 1] = True
        expected = np.linalg.norm([2 * 5, 3 * 0.5, 1 * 0.8])
        assert average_hausdorff(one, other, (0.8, 0.5, 5)) == pytest.approx(expected)
        assert average_hausdorff(one, other) == pytest.approx(np.linalg.norm([2, 3, 1]))
        flat = average_hausdorff(one.max(0), other.max(0), (0.8, 0.5, 5))
        assert flat == pytest.approx(np.hypot(3 * 0.5, 1 * 0.8))

    def test_the_nearest_pixel_may_lie_in_another_plane(self):
        one, other = np.zeros((2, 4, 30, 30), bool)
        one[0, 5, 5] = True
        other[0, 25, 5] = other[3, 5, 6] = True
        near, far = np.hypot(3 * 5, 1), 20
        assert average_hausdorff(one, other, (1, 1, 5)) == pytest.approx(
            (near + (near + far) / 2) / 2
        )

    def test_an_uncertain_pixel_is_no_lesion_in_either_image(self):
        truth = np.array([[1, 255, 0, 0, 0, 1]])
        pred = np.array([[255, 1, 0, 1, 0, 0]])
        # There remain the prediction's pixel 3 and the truth's pixel 5.
        assert average_hausdorff(pred, truth) == 2


class TestEmpty:
    EMPTY, ONE, UNCERTAIN = np.array([[0, 0]]), np.array([[0, 1]]), np.array([[0, 255]])

    def test_two_empty_masks_are_the_same(self):
        assert average_hausdorff(self.EMPTY, self.EMPTY) == 0
        assert average_hausdorff(self.UNCERTAIN, self.EMPTY, combine="max") == 0

    @pytest.mark.parametrize("combine", ["mean", "max"])
    def test_there_is_no_distance_to_an_empty_mask(self, combine):
        assert np.isnan(average_hausdorff(self.EMPTY, self.ONE, combine=combine))
        assert np.isnan(average_hausdorff(self.ONE, self.EMPTY, combine=combine))

    def test_nor_where_nothing_counts(self):
        assert np.isnan(average_hausdorff(self.UNCERTAIN, self.ONE))
        assert np.isnan(average_hausdorff(np.full((1, 2), 255), self.EMPTY))
        assert np.isnan(average_hausdorff(np.zeros((0, 3), bool), np.zeros((0, 3), bool)))


class TestRefuses:
    ONE = np.ones((2, 3, 3), bool)

    @pytest.mark.parametrize("spacing", [(1, 1), (1, 0, 1), (1, 1, np.nan), (1, -1, 1)])
    def test_a_spacing_that_is_none(self, spacing):
        with pytest.raises(ValueError, match="spacing"):
            average_hausdorff(self.ONE, self.ONE, spacing)

    def test_another_combination(self):
        with pytest.raises(ValueError, match="'sum'"):
            average_hausdorff(self.ONE, self.ONE, combine="sum")

    def test_different_shapes_and_what_is_no_label(self):
        with pytest.raises(ValueError, match="shapes"):
            average_hausdorff(self.ONE, self.ONE[0])
        for wrong in (self.ONE * 0.5, self.ONE * -1.0):
            with pytest.raises(ValueError, match="the mask holds"):
                average_hausdorff(self.ONE, wrong)


class TestProperties:
    @given(label_images, spacings, st.sampled_from(["mean", "max"]))
    @settings(max_examples=300, deadline=None)
    def test_agrees_with_all_pairs(self, pair, spacing, combine):
        found = average_hausdorff(*pair, spacing, combine=combine)
        np.testing.assert_allclose(found, brute_force(*pair, spacing, combine), rtol=1e-12)

    @given(masks)
    def test_symmetric(self, pair):
        assert average_hausdorff(*pair) == average_hausdorff(*pair[::-1])

    @given(masks)
    def test_zero_for_equal_masks_only(self, pair):
        assert average_hausdorff(pair[0], pair[0]) == 0
        assert (average_hausdorff(*pair) == 0) == np.array_equal(*pair)

    @given(masks)
    def test_the_maximum_is_no_less_than_the_mean_and_no_more_than_twice_it(self, pair):
        mean, most = (average_hausdorff(*pair, combine=combine) for combine in ("mean", "max"))
        assert mean <= most <= 2 * mean

    @given(masks, st.integers(0, 3), st.integers(0, 3))
    def test_moving_both_masks_changes_nothing(self, pair, before, after):
        moved = [np.pad(mask, [(before, after)] * mask.ndim) for mask in pair]
        assert average_hausdorff(*moved) == average_hausdorff(*pair)

    @given(masks, st.lists(st.booleans(), min_size=3, max_size=3))
    def test_flipping_both_masks_changes_nothing(self, pair, flips):
        axes = [axis for axis in range(pair[0].ndim) if flips[axis]]
        flipped = [np.flip(mask, axes) for mask in pair]
        assert average_hausdorff(*flipped) == pytest.approx(average_hausdorff(*pair))

    @given(masks, st.sampled_from(SPACINGS), st.sampled_from([0.25, 2, 3.7]))
    def test_linear_in_the_spacing(self, pair, spacing, times):
        larger = average_hausdorff(*pair, [times * side for side in spacing])
        assert larger == pytest.approx(times * average_hausdorff(*pair, spacing), rel=1e-12)

    @given(masks)
    def test_square_pixels_or_nearly_so_give_nearly_the_same(self, pair):
        # Two ways of computing: OpenCV's in planes of square pixels, scipy's elsewhere.
        square, *others = (average_hausdorff(*pair, (x, 1, 1)) for x in (1, 1 + 1e-6, 1 + 1e-8))
        assert others == pytest.approx([square] * 2, rel=2e-6)


def test_exact_over_a_whole_slice():
    # Far beyond what float32 holds: the two corners of a 512² slice.
    one, other = np.zeros((2, 512, 512), bool)
    one[0, 0] = other[511, 510] = True
    assert average_hausdorff(one, other) == np.hypot(511, 510)
