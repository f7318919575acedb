"""A measurement that carries its spacing."""

import numpy as np
import pytest

from lesions import Recist
from lesions.measurement import Measurement
from lesions.readers.deeplesion import read_deeplesion
from lesions.sample import ROOT


def of(long: float, short: float) -> Measurement:
    """With pixels of 0.5 × 2 mm, the long axis along the rows."""
    x, y = long / 0.5, short / 2
    points = [[0, 0], [x, 0], [x / 2, -y / 2], [x / 2, y / 2]]
    return Measurement(recist=Recist(points), spacing=(0.5, 2.0, 5.0))


def test_lengths_product_and_spacing_go_together() -> None:
    measured = of(20, 8)
    assert measured.diameters_mm == (20, 8)
    assert measured.who_product_mm2 == 160


@pytest.mark.parametrize(
    ("long", "short", "lesion", "node"),
    [(9.99, 9, False, False), (10, 1, True, False), (40, 14.9, True, False), (15, 15, True, True)],
)
def test_measurable_by_recist_1_1(long: float, short: float, lesion: bool, node: bool) -> None:
    assert of(long, short).measurable() is lesion
    assert of(long, short).measurable(node=True) is node


def test_a_lesion_knows_its_size_and_prints_short() -> None:
    lesion = read_deeplesion(ROOT)[0][0]
    assert lesion.diameters_mm == lesion.recist.diameters_mm(lesion.spacing)
    assert lesion.measurement.diameters_mm == lesion.diameters_mm
    human = lesion.mask("human")
    assert lesion.measured(human).recist == Recist.from_mask(human, lesion.spacing)
    assert Measurement.from_mask(np.ones((2, 5)), (1, 1)).diameters_mm[0] == pytest.approx(
        5.099, 1e-3
    )
    assert len(repr(lesion)) < 100
    assert lesion.file in repr(lesion)
    assert "human" in repr(lesion)
