import numpy as np
import pytest

from lesions.metrics import summary, summary_by


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
