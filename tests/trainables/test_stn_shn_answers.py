"""The view that STN + SHN says it took is the one that its second network saw."""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from lesions.heatmaps import heatmaps
from lesions.prompts import Box, Case
from trainables.configs import edited
from trainables.crops import apply
from trainables.stn_shn.answers import answers
from trainables.stn_shn.config import tiny
from trainables.stn_shn.layout import matrices, view_of
from trainables.stn_shn.model import Outputs
from trainables.system import How, Prediction, Trained

PEAKS = np.array([[3.0, 8], [12, 8], [8, 5], [8, 11]])  # heat map pixels
THETA = matrices(torch.tensor([[0.1, -0.05, 0.6, np.cos(1.0), np.sin(1.0)]]))
SIZE = 64
ACROSS = np.tile(np.arange(200, dtype=np.int16), (160, 1))  # HU: how far to the right


def answered(stn: bool, theta: Tensor = THETA) -> tuple[Prediction, Tensor]:
    """What is said of a box where the networks take the view Θ and find PEAKS, and the view."""
    seen = []

    def networks(crops: Tensor) -> Outputs:
        seen.append(view_of(crops, theta)[0, 0])
        maps = heatmaps(PEAKS, (SIZE // 4, SIZE // 4), 1.0)
        return Outputs(None, None, theta, [torch.from_numpy(maps)[None]])

    case = Case(
        slice_hu=ACROSS, window=(0.0, 200.0), spacing=(1.0, 1.0, 1.0),
        prompt=Box(low=(60.0, 50.0), high=(130.0, 120.0)),
    )  # fmt: skip
    config = edited(tiny(), {"stn": stn, "samples.size": SIZE})
    trained = Trained(config=config, model=cast(nn.Module, networks))
    (found,) = answers(trained, [case], How(device=torch.device("cpu")))
    return found, seen[0]


def test_each_pixel_of_the_view_is_where_it_says() -> None:
    found, seen = answered(stn=True)
    assert found.view is not None
    matrix, size = found.view
    assert size == SIZE
    rows, columns = np.indices((SIZE, SIZE))
    there = apply(matrix, np.column_stack([columns.ravel(), rows.ravel()]).astype(float))
    np.testing.assert_allclose(200 * seen.numpy().ravel(), there[:, 0], atol=0.1)


def test_endpoints_lie_in_the_view_where_the_heat_maps_have_them() -> None:
    found, _ = answered(stn=True)
    assert found.view is not None
    assert found.recist is not None
    placed = apply(found.view[0], 4 * PEAKS + 1.5)
    np.testing.assert_allclose(found.recist.points, placed, atol=1e-6)


def test_without_an_stn_no_view_was_taken() -> None:
    found, _ = answered(stn=False)
    assert found.view is None
    assert found.recist is not None


def test_an_stn_gone_astray_took_none() -> None:
    found, _ = answered(stn=True, theta=torch.full((1, 2, 3), torch.nan))
    assert (found.view, found.recist) == (None, None)
