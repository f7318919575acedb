"""One stage by itself, as it is validated: a batch of cases at a time."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from lesions.heatmaps import endpoints
from lesions.prompts import Case
from lesions.recist import canonical_order
from trainables.pdnet.model import Outputs
from trainables.pdnet.samples import evaluation_crop, slice_input, to_slice
from trainables.system import How, Prediction, Trained
from trainables.together import together


def predict_alone(stage: Trained, cases: Iterable[Case], how: How) -> Iterator[Prediction]:
    """Mask and RECIST of each case, in the slice's pixels."""
    for some in together(cases):
        yield from _predict(stage, some, how)


@torch.inference_mode()
def _predict(stage: Trained, cases: Sequence[Case], how: How) -> list[Prediction]:
    config = stage.config
    crops = [evaluation_crop(config, case) for case in cases]
    inputs = [
        slice_input(config, case.slice_hu, case.window, crop, case.prompt.middle)
        for case, crop in zip(cases, crops, strict=True)
    ]
    images = torch.from_numpy(np.stack(inputs)).to(how.device)
    with torch.autocast(how.device.type, dtype=how.precision, enabled=how.precision is not None):
        outputs: Outputs = stage.model(images)
    masks = torch.sigmoid(outputs.masks[-1].float()).cpu().numpy()[:, 0]
    maps = outputs.heatmaps[-1].float().cpu().numpy()
    found = []
    for case, crop, mask, heat in zip(cases, crops, masks, maps, strict=True):
        points, peaks = endpoints(heat)
        order = canonical_order(points)
        probability = crop.back(mask, case.shape)
        found.append(
            Prediction(
                mask=(probability > 0.5).astype(np.uint8),
                probability=probability,
                recist=to_slice(crop, points[order]),
                peaks=tuple(peaks[order].tolist()),
                square=(crop.centre, crop.side),
            )
        )
    return found
