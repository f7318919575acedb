"""What PDNet's network says in its view is put back into the slice, to half a pixel."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesions import Lesion, Recist
from lesions.heatmaps import heatmaps
from lesions.metrics import segmentation
from tests.trainables.runs import alone, ellipses, lesion
from tests.trainables.test_pdnet_samples import ENDS, SHAPES, asked, config_of
from trainables.evaluate import measure
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig, paper, tiny
from trainables.pdnet.model import Outputs
from trainables.pdnet.samples import evaluation_crop, to_slice


def test_endpoints_that_coincide_are_no_recist() -> None:
    crop = evaluation_crop(config_of(2), asked(config_of(2), lesion(ENDS)))
    assert to_slice(crop, np.array([[5.0, 5], [5, 5], [3, 2], [3, 9]])) is None
    found = to_slice(crop, crop.points(np.array(ENDS, dtype=np.float64)))
    assert found is not None
    np.testing.assert_allclose(found.points, Recist(ENDS).points)


class Oracle(nn.Module):
    """A network that answers with what it was given, lesion by lesion, at full size."""

    def __init__(self, answers: Sequence[Outputs]) -> None:
        super().__init__()
        self.answers = list(answers)

    def forward(self, inputs: Tensor) -> Outputs:
        """The answers for the next N lesions."""
        mine, self.answers = self.answers[: len(inputs)], self.answers[len(inputs) :]
        return Outputs(*([torch.stack(maps)] for maps in zip(*mine, strict=True)))


def oracle(config: PDNetConfig, lesions: Sequence[Lesion]) -> Oracle:
    answers = []
    for one in lesions:
        crop = evaluation_crop(config, asked(config, one))
        points, size = crop.points(one.recist.points), (crop.size, crop.size)
        mask = crop.labels(one.mask("snakes"))[None] * 20.0 - 10.0
        maps = heatmaps(points, size, config.sigma)
        answers.append(Outputs(torch.from_numpy(mask).float(), torch.from_numpy(maps)))  # type: ignore[arg-type]
    return Oracle(answers)


def in_the_corners(shape: tuple[int, int]) -> list[Lesion]:
    """The lesion at each corner of the slice, and in its middle, with anisotropic pixels."""
    height, width = shape
    form: NDArray[np.float64] = np.array(ENDS) - np.min(ENDS, axis=0)
    far = np.array([width, height]) - 1 - form.max(axis=0)
    places = [(0, 0), (far[0], 0), (0, far[1]), tuple(far), tuple(far / 2)]
    return [
        lesion((form + place).tolist(), shape, (0.7, 1.3, 5.0), row=n + 1)
        for n, place in enumerate(places)
    ]


@pytest.mark.parametrize("stage", [1, 2])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("preset", [tiny, paper])
def test_predictions_land_where_the_lesion_is(
    stage: Any, shape: tuple[int, int], preset: Any
) -> None:
    """What a perfect network sees in its crop is the truth again in the slice and in mm."""
    config: PDNetConfig = replace(preset(), stage=stage)
    lesions = in_the_corners(shape)
    # 512 pixels shrunk to 96: a network pixel is five of the slice.
    pixel = max(1.0, max(shape) / config.input_size) if stage == 1 else 1.0
    network = oracle(config, lesions)
    found = list(
        alone(PDNetSystem(), config, network).predict(asked(config, one) for one in lesions)
    )
    for one, prediction in zip(lesions, found, strict=True):
        assert prediction.mask is not None
        assert prediction.probability is not None
        assert np.array_equal(prediction.mask, prediction.probability > 0.5)
        assert prediction.mask.shape == shape
        assert prediction.mask.dtype == np.uint8
        dice = segmentation(prediction.mask, one.mask("snakes"))["dice"]
        assert dice > (0.95 if pixel < 2 else 0.85)
        assert prediction.recist is not None
        np.testing.assert_allclose(
            prediction.recist.points, one.recist.points, atol=0.5 * max(1.0, pixel)
        )
    rows = measure(alone(PDNetSystem(), config, oracle(config, lesions)), lesions)
    for one, row in zip(lesions, rows, strict=True):
        # By hand: (32, 16) and (9, 20) pixels of 0.7 mm × 1.3 mm.
        assert row["long_axis_mm"] == pytest.approx(np.hypot(32 * 0.7, 16 * 1.3))
        assert row["short_axis_mm"] == pytest.approx(np.hypot(9 * 0.7, 20 * 1.3))
        assert max(row["long_axis_error"], row["short_axis_error"]) < 0.5 * 1.3 * pixel
        assert one.file == row["file"]


def test_more_lesions_than_one_batch_keep_their_order() -> None:
    config, lesions = tiny(), ellipses(21)
    rows = measure(alone(PDNetSystem(), config, oracle(config, lesions)), lesions)
    assert [row["file"] for row in rows] == [one.file for one in lesions]
    assert min(row["dice"] for row in rows) > 0.95
