import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lesions.errors import InputError
from lesions.labels import UNCERTAIN_ALONE
from lesions.metrics import average_hausdorff, segmentation, summary

labels = arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 1, 255])).filter(
    lambda image: (image == 1).any() or not image.any()
)
EMPTY, ONE = np.zeros((2, 3), np.uint8), np.array([[0, 1, 0], [0, 0, 0]], np.uint8)


class TestSegmentation:
    def test_by_hand(self):
        truth = np.array([[1, 1, 1, 0, 0, 0]], np.uint8)
        pred = np.array([[1, 0, 0, 1, 0, 0]], np.uint8)
        found = segmentation(pred, truth)
        # TP 1, FP 1, FN 2; distances 0, 1 from the prediction and 0, 1, 1 from the truth.
        assert found == pytest.approx({"precision": 1 / 2, "recall": 1 / 3, "dice": 2 / 5,
                                       "vs": 1 - 1 / 5, "avd": (1 / 2 + 2 / 3) / 2})  # fmt: skip
        assert {type(value) for value in found.values()} == {float}

    def test_uncertain_pixels_of_either_image_count_nowhere(self):
        truth = np.array([[1, 1, 1, 0, 0, 0, 255, 255, 1, 0]], np.uint8)
        pred = np.array([[1, 0, 0, 1, 0, 0, 1, 0, 255, 255]], np.uint8)
        assert segmentation(pred, truth)["dice"] == pytest.approx(2 / 5)
        assert segmentation(pred, truth)["vs"] == pytest.approx(4 / 5)

    @pytest.mark.parametrize(
        ("pred", "truth", "value"),
        [(EMPTY, EMPTY, 1), (ONE, ONE, 1), (ONE, EMPTY, 0), (EMPTY, ONE, 0),
         (255 * ONE, EMPTY, 1)],
    )  # fmt: skip
    def test_empty_masks(self, pred, truth, value):
        found = segmentation(pred, truth)
        avd = found.pop("avd")
        assert set(found.values()) == {value}
        assert avd == 0 if value else np.isnan(avd)

    def test_where_the_prediction_is_uncertain_about_all_lesion_all_is_nan(self):
        for pred in (np.full_like(ONE, 255), 255 * ONE):
            found = segmentation(pred, ONE)
            assert all(np.isnan(value) for value in found.values())

    @pytest.mark.parametrize("measure", [segmentation, average_hausdorff])
    @pytest.mark.parametrize("truth", [255 * ONE, np.full_like(ONE, 255)])
    def test_a_truth_of_0_and_255_is_refused(self, measure, truth):
        for pred in (ONE, EMPTY, truth):
            with pytest.raises(InputError, match=UNCERTAIN_ALONE):
                measure(pred, truth)

    def test_takes_truth_values(self):
        assert segmentation(ONE == 1, ONE)["dice"] == 1

    @given(labels, labels)
    def test_avd_is_the_averaged_hausdorff_distance(self, pred, truth):
        for spacing in (None, (0.7, 0.7, 5), (0.7, 0.9, 5)):
            found = segmentation(pred, truth, spacing)["avd"]
            np.testing.assert_array_equal(found, average_hausdorff(pred, truth, spacing))

    def test_takes_volumes(self):
        pred, truth = np.stack([ONE, EMPTY, ONE]), np.stack([ONE, ONE, EMPTY])
        found = segmentation(pred, truth, (1, 1, 5))
        assert found["dice"] == 1 / 2
        # Half of each image's pixels lie one slice from the other image's.
        assert found["avd"] == 5 / 2

    def test_a_mean_leaves_out_lesions_without_a_distance(self):
        found = summary([segmentation(ONE, ONE), segmentation(ONE, EMPTY)])
        assert found["avd"] == 0
        assert found["avd_n"] == 1
        assert found["dice"] == 1 / 2

    @pytest.mark.parametrize("wrong", [np.where(ONE == 1, 200, 255), ONE * 0.5, ONE * -1.0])
    def test_refuses_what_is_no_label(self, wrong):
        with pytest.raises(ValueError, match="the mask holds"):
            segmentation(wrong, ONE)

    def test_refuses_different_shapes(self):
        with pytest.raises(ValueError, match="shapes"):
            segmentation(ONE, ONE.T)

    @given(labels, labels)
    def test_swapping_the_images_swaps_precision_and_recall(self, first, second):
        one, other = segmentation(first, second), segmentation(second, first)
        swapped = {**other, "precision": other["recall"], "recall": other["precision"]}
        np.testing.assert_array_equal(list(one.values()), [swapped[name] for name in one])

    @given(labels, labels)
    def test_dice_is_the_harmonic_mean_and_vs_no_less(self, pred, truth):
        found = segmentation(pred, truth)
        if found["precision"] > 0:
            mean = 2 / (1 / found["precision"] + 1 / found["recall"])
            assert found["dice"] == pytest.approx(mean)
        if not np.isnan(found["dice"]) and found["vs"] > 0:
            assert found["vs"] >= found["dice"] - 1e-12
