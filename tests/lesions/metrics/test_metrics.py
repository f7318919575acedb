import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lesions.metrics import best_centred_disc, diameters, segmentation, summary, summary_by
from lesions.recist import Recist

labels = arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 1, 255]))
EMPTY, ONE = np.zeros((2, 3), np.uint8), np.array([[0, 1, 0], [0, 0, 0]], np.uint8)


class TestSegmentation:
    def test_by_hand(self):
        truth = np.array([[1, 1, 1, 0, 0, 0]], np.uint8)
        pred = np.array([[1, 0, 0, 1, 0, 0]], np.uint8)
        found = segmentation(pred, truth)
        # TP 1, FP 1, FN 2.
        assert found == pytest.approx({"precision": 1 / 2, "recall": 1 / 3, "dice": 2 / 5,
                                       "vs": 1 - 1 / 5})  # fmt: skip
        assert {type(value) for value in found.values()} == {float}

    def test_uncertain_pixels_of_either_image_count_nowhere(self):
        truth = np.array([[1, 1, 1, 0, 0, 0, 255, 255, 1, 0]], np.uint8)
        pred = np.array([[1, 0, 0, 1, 0, 0, 1, 0, 255, 255]], np.uint8)
        assert segmentation(pred, truth)["dice"] == pytest.approx(2 / 5)
        assert segmentation(pred, truth)["vs"] == pytest.approx(4 / 5)

    @pytest.mark.parametrize(
        ("pred", "truth", "value"),
        [(EMPTY, EMPTY, 1), (ONE, ONE, 1), (ONE, EMPTY, 0), (EMPTY, ONE, 0),
         (255 * ONE, EMPTY, 1), (255 * ONE, ONE, 1), (EMPTY, 255 * ONE, 1)],
    )  # fmt: skip
    def test_empty_masks(self, pred, truth, value):
        assert set(segmentation(pred, truth).values()) == {value}

    def test_no_pixel_that_counts_is_nan(self):
        found = segmentation(ONE, np.full_like(ONE, 255))
        assert all(np.isnan(value) for value in found.values())

    def test_takes_truth_values(self):
        assert segmentation(ONE == 1, ONE)["dice"] == 1

    @pytest.mark.parametrize("wrong", [2 * ONE, ONE * 0.5, 128 * ONE])
    def test_refuses_what_is_no_label(self, wrong):
        with pytest.raises(ValueError, match="label"):
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


def test_diameters_by_hand():
    truth = Recist([(0, 0), (10, 0), (5, -2), (5, 2)])
    predicted = Recist([(0, 1), (9, 1), (5, -4), (5, 2)])
    assert diameters(predicted, truth, (0.8, 0.5, 5)) == pytest.approx(
        {"long_axis_error": 0.8, "short_axis_error": 1.0}
    )


class TestSummary:
    def test_mean_and_population_deviation(self):
        assert summary([{"dice": 0.2}, {"dice": 0.6}]) == pytest.approx(
            {"n": 2, "dice": 0.4, "dice_std": 0.2}
        )

    def test_missing_values_are_left_out_and_counted(self):
        found = summary(
            [{"dice": 0.2, "vs": np.nan}, {"dice": np.nan, "vs": np.nan}, {"dice": 0.4}]
        )
        assert found["n"] == 3
        assert found["dice"] == pytest.approx(0.3)
        assert found["dice_n"] == 2
        assert np.isnan(found["vs"])
        assert np.isnan(found["vs_std"])
        assert found["vs_n"] == 0

    def test_columns_that_are_no_numbers_are_no_metrics(self):
        assert set(summary([{"file": "a.png", "dice": np.float32(1)}])) == {"n", "dice", "dice_std"}

    def test_no_rows(self):
        assert summary([]) == {"n": 0}

    def test_by_lesion_type(self):
        rows = [{"type": "lung", "dice": 0.5}, {"type": "bone", "dice": 0.1},
                {"type": "lung", "dice": 0.7}]  # fmt: skip
        found = summary_by(rows, "type")
        assert list(found) == ["lung", "bone"]
        assert found["lung"] == pytest.approx({"n": 2, "dice": 0.6, "dice_std": 0.1})
        assert found["bone"]["n"] == 1
        with pytest.raises(KeyError, match="type"):
            summary_by([{"dice": 1.0}], "type")


class TestBestCentredDisc:
    def test_finds_the_disc_that_a_lesion_is(self):
        y, x = np.mgrid[:50, :60]
        discs = [(np.hypot(x - cx, y - cy) <= 0.2 * unit, (cx, cy), unit)
                 for cx, cy, unit in ((25, 20, 50), (31.5, 24, 70.0), (20, 25, 30))]  # fmt: skip
        factor, dices = best_centred_disc(discs)
        assert factor == pytest.approx(0.2, abs=0.02)
        np.testing.assert_array_equal(dices, 1)

    def test_one_factor_serves_all(self):
        y, x = np.mgrid[:50, :50]
        distance = np.hypot(x - 25, y - 25)
        cases = [(distance <= 5, (25, 25), 50.0), (distance <= 15, (25, 25), 50.0)]
        factor, dices = best_centred_disc(cases)
        disc = distance <= factor * 50
        for (mask, _, _), dice in zip(cases, dices, strict=True):
            assert dice == pytest.approx(segmentation(disc, mask)["dice"])
        others = [np.mean([segmentation(distance <= radius, mask)["dice"] for mask, _, _ in cases])
                  for radius in np.arange(0.5, 30, 0.25)]  # fmt: skip
        assert dices.mean() >= max(others) - 1e-12

    def test_an_empty_lesion_scores_nothing(self):
        _, dices = best_centred_disc([(np.zeros((9, 9), bool), (4, 4), 9.0)])
        assert dices.tolist() == [0]

    @pytest.mark.parametrize("cases", [[], [(np.ones((3, 3), bool), (1, 1), 0.0)]])
    def test_refuses(self, cases):
        with pytest.raises(ValueError, match="at least one"):
            best_centred_disc(cases)
