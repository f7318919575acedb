import tracemalloc

import numpy as np
import pytest

from lesions.metrics import best_centred_disc, segmentation


class TestBestCentredDisc:
    def test_finds_the_disc_that_a_lesion_is(self):
        y, x = np.mgrid[:50, :60]
        discs = [(np.hypot(x - cx, y - cy) <= 0.2 * unit, (cx, cy), unit)
                 for cx, cy, unit in ((25, 20, 50), (31.5, 24, 70.0), (20, 25, 30))]  # fmt: skip
        factor, dice = best_centred_disc(lambda: discs)
        assert factor == pytest.approx(0.2, abs=0.02)
        assert dice == 1

    def test_one_factor_serves_all(self):
        y, x = np.mgrid[:50, :50]
        distance = np.hypot(x - 25, y - 25)
        cases = [(distance <= 5, (25, 25), 50.0), (distance <= 15, (25, 25), 50.0)]
        factor, dice = best_centred_disc(lambda: cases)
        disc = distance <= factor * 50
        ours = [segmentation(disc, mask)["dice"] for mask, _, _ in cases]
        assert dice == pytest.approx(np.mean(ours))
        others = [np.mean([segmentation(distance <= radius, mask)["dice"] for mask, _, _ in cases])
                  for radius in np.arange(0.5, 30, 0.25)]  # fmt: skip
        assert dice >= max(others) - 1e-12

    def test_an_empty_lesion_scores_nothing(self):
        _, dice = best_centred_disc(lambda: [(np.zeros((9, 9), bool), (4, 4), 9.0)])
        assert dice == 0

    def test_a_hundred_cases_take_no_more_memory_than_ten(self):
        def peak(count):
            def cases():
                return ((disc, (256.0, 256.0), 512.0) for _ in range(count))

            disc = np.zeros((512, 512), bool)
            disc[200:300, 200:300] = True
            tracemalloc.start()
            best_centred_disc(cases)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return most

        assert peak(100) < 1.1 * peak(10)

    @pytest.mark.parametrize("cases", [[], [(np.ones((3, 3), bool), (1, 1), 0.0)]])
    def test_refuses(self, cases):
        with pytest.raises(ValueError, match="at least one"):
            best_centred_disc(lambda: cases)
