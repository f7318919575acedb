import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import precision_recall_curve

from lesions.metrics import dice_histogram, precision_recall, segmentation

# Few different scores, so that most of them tie.
tenths = arrays(np.float32, (4, 5), elements=st.integers(0, 10).map(lambda n: n / 10))
labels = arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 255]))
lesions = st.lists(st.tuples(tenths, labels), min_size=1, max_size=4).filter(
    lambda pairs: any((truth == 1).any() for _, truth in pairs)
)


class TestDiceHistogram:
    def test_by_hand(self):
        thresholds, fraction = dice_histogram([0.5, 0.9, 0.8, 0.2], [0, 0.2, 0.5, 0.81, 1])
        assert thresholds.tolist() == [0, 0.2, 0.5, 0.81, 1]
        assert fraction.tolist() == [1, 1, 3 / 4, 1 / 4, 0]

    def test_hundredths_include_a_dice_of_exactly_that(self):
        thresholds, fraction = dice_histogram(np.arange(101) / 100)
        assert len(thresholds) == 101
        np.testing.assert_allclose(fraction, (101 - np.arange(101)) / 101)
        assert dice_histogram([2 * 29 / 200])[1][29] == 1

    def test_a_lesion_without_a_dice_is_left_out(self):
        assert dice_histogram([np.nan, 1, 0], [0.5])[1].tolist() == [0.5]

    @pytest.mark.parametrize("dices", [[], [np.nan]])
    def test_refuses_nothing(self, dices):
        with pytest.raises(ValueError, match="no lesion"):
            dice_histogram(dices)

    @given(st.lists(st.floats(0, 1), min_size=1))
    def test_falls_from_one_and_counts(self, dices):
        thresholds, fraction = dice_histogram(dices)
        assert fraction[0] == 1
        assert (np.diff(fraction) <= 0).all()
        counted = [np.mean(np.array(dices) >= threshold) for threshold in thresholds]
        np.testing.assert_allclose(fraction, counted)


class TestPrecisionRecall:
    def test_by_hand(self):
        scores = [np.array([[0.9, 0.4, 0.4]]), np.array([[0.7], [0.1]])]
        truths = [np.array([[1, 1, 0]]), np.array([[0], [1]])]
        curve = precision_recall(scores, truths)
        assert curve.thresholds.tolist() == [0.1, 0.4, 0.7, 0.9]
        np.testing.assert_allclose(curve.precision, [3 / 5, 2 / 4, 1 / 2, 1])
        np.testing.assert_allclose(curve.recall, [1, 2 / 3, 1 / 3, 1 / 3])
        assert curve.best_f == pytest.approx((2 * 3 / (2 * 3 + 2), 0.1))

    def test_given_thresholds(self):
        scores, truths = [np.array([0.9, 0.4, 0.4, 0.1])], [np.array([1, 1, 0, 1])]
        curve = precision_recall(scores, truths, [0.95, 0.5, 0.4, 0.5])
        assert curve.thresholds.tolist() == [0.4, 0.5, 0.95]
        np.testing.assert_allclose(curve.precision, [2 / 3, 1, 0])
        np.testing.assert_allclose(curve.recall, [2 / 3, 1 / 3, 0])

    def test_uncertain_pixels_count_nowhere(self):
        scores, truth = np.array([0.9, 0.8, 0.2]), np.array([1, 255, 0])
        curve = precision_recall([scores], [truth])
        assert curve.thresholds.tolist() == [0.2, 0.9]
        assert curve.precision.tolist() == [1 / 2, 1]

    def test_where_nothing_is_found_f_is_zero(self):
        curve = precision_recall([np.array([0.1])], [np.array([1])], [0.5, 0.6])
        assert curve.best_f == (0, 0.5)

    @given(lesions)
    @settings(deadline=None)
    def test_agrees_with_scikit_learn_on_all_pixels_together(self, pairs):
        curve = precision_recall(*zip(*pairs, strict=True))
        scores, truths = (np.concatenate([each.ravel() for each in part])
                          for part in zip(*pairs, strict=True))  # fmt: skip
        known = truths != 255
        precision, recall, thresholds = precision_recall_curve(truths[known], scores[known])
        # scikit-learn ends with a point (1, 0) that belongs to no threshold.
        np.testing.assert_allclose(curve.precision, precision[:-1], atol=1e-12)
        np.testing.assert_allclose(curve.recall, recall[:-1], atol=1e-12)
        np.testing.assert_array_equal(curve.thresholds, thresholds.astype(np.float32))

    @given(lesions)
    @settings(deadline=None)
    def test_given_thresholds_lie_on_the_curve_of_all(self, pairs):
        scores, truths = zip(*pairs, strict=True)
        every = precision_recall(scores, truths)
        some = precision_recall(scores, truths, every.thresholds[::2])
        np.testing.assert_array_equal(some.precision, every.precision[::2])
        np.testing.assert_array_equal(some.recall, every.recall[::2])

    @given(tenths, labels)
    def test_a_point_is_what_segmentation_says_of_the_mask(self, score, truth):
        if not (truth == 1).any():
            return
        curve = precision_recall([score], [truth])
        for at, threshold in enumerate(curve.thresholds):
            found = segmentation(score >= threshold, truth)
            assert curve.precision[at] == pytest.approx(found["precision"])
            assert curve.recall[at] == pytest.approx(found["recall"])
        assert curve.best_f[0] == pytest.approx(
            max(segmentation(score >= level, truth)["dice"] for level in curve.thresholds)
        )

    def test_takes_generators(self):
        score, truth = np.array([0.9, 0.4]), np.array([1, 0])
        curve = precision_recall((score for _ in range(3)), (truth for _ in range(3)))
        assert curve.precision.tolist() == [1 / 2, 1]

    @pytest.mark.parametrize(
        ("scores", "truths", "message"),
        [([], [], "no pixel"), ([[0.5]], [[0]], "no pixel"), ([[0.5]], [[255]], "no pixel"),
         ([[np.nan]], [[1]], "NaN"), ([[0.5]], [[-1]], "negative"), ([[0.5, 0.5]], [[1]], "shapes"),
         ([[0.5]], [], "zip")],
    )  # fmt: skip
    def test_refuses(self, scores, truths, message):
        with pytest.raises(ValueError, match=message):
            precision_recall(map(np.array, scores), map(np.array, truths))
