"""From boxes to endpoints: a batch of crops at a time."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lesions import Recist
from lesions.heatmaps import endpoints, spread_mm
from lesions.prompts import Case
from lesions.recist import canonical_order
from trainables.crops import Crop, apply
from trainables.stn_shn.hourglass import STRIDE
from trainables.stn_shn.model import Outputs
from trainables.stn_shn.samples import crop_of, image_of
from trainables.system import How, Prediction, Trained, View
from trainables.together import together

LEAST_PEAK = 0.1  # of what a map is trained to reach: below, it shows nothing
NEAR_EDGE = 1.5  # heat map pixels: beyond the view's edge a map has no place for an endpoint


def answers(trained: Trained, cases: Iterable[Case], how: How) -> Iterator[Prediction]:
    """The endpoints of each case in its slice's pixels, in order."""
    for some in together(cases):
        yield from _answers(trained, some, how)


@torch.inference_mode()
def _answers(trained: Trained, cases: Sequence[Case], how: How) -> list[Prediction]:
    crops = [crop_of(trained.config, case) for case in cases]
    images = [image_of(crop, case) for crop, case in zip(crops, cases, strict=True)]
    batch = torch.from_numpy(np.stack(images)).to(how.device, memory_format=torch.channels_last)
    with torch.autocast(how.device.type, dtype=how.precision, enabled=how.precision is not None):
        outputs: Outputs = trained.model(batch)
    maps = outputs.heatmaps[-1].float().cpu().numpy()
    thetas = outputs.thetas.double().cpu().numpy()
    return [
        _prediction(case, crop, theta, heat, _view(trained, crop, theta))
        for case, crop, theta, heat in zip(cases, crops, thetas, maps, strict=True)
    ]


def _prediction(
    case: Case,
    crop: Crop,
    theta: NDArray[np.float64],
    maps: NDArray[np.float32],
    view: View | None,
) -> Prediction:
    """What the heat maps (4, H, H) of one view say, in the slice's pixels."""
    points, peaks = endpoints(maps)
    to_slice = slice_from_maps(crop, theta)
    scale = to_slice[:, :2] * np.asarray(case.spacing[:2])[:, None]
    spread = spread_mm(maps, points, scale)
    placed = apply(to_slice, points)
    order = canonical_order(placed)
    try:
        recist = Recist(placed[order])
    except ValueError:
        recist = None
    found = bool(peaks.min() >= LEAST_PEAK)
    return Prediction(
        recist=recist,
        spread_mm=tuple(spread[at] for at in order),
        peaks=tuple(peaks[order].tolist()),
        square=(crop.centre, crop.side),
        view=view,
        found=found,
        doubt=_doubt(found, points, maps.shape[-1]),
    )


def _view(trained: Trained, crop: Crop, theta: NDArray[np.float64]) -> View | None:
    """The view that was taken: without an STN it is the crop, and from an STN gone astray none."""
    return view_in(crop, theta) if trained.config.stn and np.isfinite(theta).all() else None


def slice_from_maps(crop: Crop, theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3), heat map pixels → view → crop (Θ) → slice pixels."""
    # A heat map pixel u is the view's 4u + 1.5.
    to_view = np.array([[STRIDE, 0, (STRIDE - 1) / 2], [0, STRIDE, (STRIDE - 1) / 2], [0, 0, 1]])
    return np.asarray(view_in(crop, theta)[0] @ to_view)


def view_in(crop: Crop, theta: NDArray[np.float64]) -> View:
    """The view: its pixels → crop (Θ) → slice pixels."""
    size = crop.size
    # A pixel v lies at (2v + 1) / S − 1.
    normal = np.array([[2 / size, 0, 1 / size - 1], [0, 2 / size, 1 / size - 1], [0, 0, 1]])
    turned = np.vstack([theta, [0, 0, 1]])
    return np.asarray(crop.inverse @ np.linalg.inv(normal) @ turned @ normal), size


def _doubt(found: bool, points: NDArray[np.float64], size: int) -> str:
    if not found:
        return "no endpoint can be told in the box"
    lost = int(((points < NEAR_EDGE) | (points > size - 1 - NEAR_EDGE)).any(axis=1).sum())
    if not lost:
        return ""
    ends = "endpoint lies" if lost == 1 else "endpoints lie"
    return f"{lost} {ends} at the edge of the view that was taken of the lesion"
