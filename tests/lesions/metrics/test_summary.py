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

    def test_of_two_patients_there_is_no_interval(self):
        found = summary([{"dice": 0.2}, {"dice": 0.6}, {"dice": 0.7}], ["a", "b", "b"])
        assert found.keys() == {"n", "patients", "dice", "dice_std"}
        assert (found["n"], found["patients"]) == (3, 2)

    def test_an_interval_is_over_the_patients_who_have_the_metric(self):
        """A draw in 27 of three patients has one alone: their own means are the ends."""
        rows = [{"dice": x, "avd": y} for x, y in
                [(0.1, 3.0), (0.5, 5.0), (0.5, np.nan), (0.9, 4.0), (0.8, np.nan)]]  # fmt: skip
        found = summary(rows, ["a", "a", "b", "c", "d"])
        assert found["patients"] == 4
        assert 0.3 <= found["dice_low"] < found["dice"] < found["dice_high"] <= 0.9
        assert "avd_low" not in found, "of two patients"
        assert found["avd_n"] == 3
        assert summary(rows[:4], ["a", "a", "b", "c"])["dice_low"] == pytest.approx(0.3)

    def test_metrics_do_not_disturb_each_other(self):
        rows = [{"dice": x, "vs": 1 - x} for x in (0.1, 0.4, 0.6, 0.9)]
        whose = ["a", "b", "c", "c"]
        found = summary(rows, whose)
        alone = summary([{"dice": row["dice"]} for row in rows], whose)
        assert {name: found[name] for name in alone} == pytest.approx(alone)
        assert (found["vs_low"], found["vs_high"]) == pytest.approx(
            (1 - found["dice_high"], 1 - found["dice_low"])
        )

    def test_patients_that_are_all_alike_are_no_certainty(self):
        found = summary([{"dice": 1.0}] * 4, ["a", "b", "c", "d"])
        assert found.keys() == {"n", "patients", "dice", "dice_std"}

    def test_by_lesion_type_each_has_its_own_patients(self):
        rows = [{"type": kind, "dice": x} for kind, x in
                [("lung", 0.1), ("bone", 0.5), ("lung", 0.3), ("lung", 0.6)]]  # fmt: skip
        found = summary_by(rows, "type", ["a", "a", "b", "c"])
        assert (found["lung"]["patients"], found["bone"]["patients"]) == (3, 1)
        assert (found["lung"]["dice_low"], found["lung"]["dice_high"]) == pytest.approx((0.1, 0.6))
