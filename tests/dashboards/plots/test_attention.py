"""What attention weighed, drawn where the lesion lies."""

import numpy as np

from dashboards.plots.attention import MAP_SHARE, attention_picture
from dashboards.plots.overlays import SIZE
from tests.dashboards.plots.test_overlays import decode
from trainables.contract.made import made_lesions

(LESION,) = made_lesions(1, ["human"])
OWN = np.linspace(1, 0, 16, dtype=np.float32)


def test_the_map_lies_over_the_view() -> None:
    """Its lower right corner is where the heat is."""
    where = np.zeros((4, 4), dtype=np.float32)
    where[3, 3] = 1
    square = (LESION.recist.points.mean(axis=0).tolist(), 40.0)
    plain, heated = (
        decode(attention_picture(LESION, square, OWN, OWN, each)).astype(int)
        for each in (np.zeros_like(where), where)
    )
    assert plain.shape == (SIZE, SIZE, 3)
    changed = np.abs(heated - plain).sum(axis=2) > 60
    rows, columns = np.nonzero(changed)
    height = MAP_SHARE * SIZE
    middle = SIZE / 2
    assert rows.min() >= 0.7 * height
    assert rows.max() <= height
    assert columns.min() >= middle


def test_both_gates_are_drawn() -> None:
    """In their colours, and another picture where partners say something else."""
    square = (LESION.recist.points.mean(axis=0).tolist(), 40.0)
    same = decode(attention_picture(LESION, square, OWN, OWN, None))
    other = decode(attention_picture(LESION, square, OWN, 1 - OWN, None))
    assert not np.array_equal(same, other)
    assert np.array_equal(other, decode(attention_picture(LESION, square, OWN, 1 - OWN, None)))
