"""From boxes to masks: a batch of views of one size at a time."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lesions.prompts import Case
from trainables.ahrnet.samples import view
from trainables.crops import Crop
from trainables.masked import mask_in
from trainables.mirrors import FLIPS, flipped, sum_of
from trainables.system import How, Prediction, Trained
from trainables.together import together


def answers(trained: Trained, cases: Iterable[Case], how: How) -> Iterator[Prediction]:
    """The mask of each case in its slice's pixels, in order."""
    for some in together(cases):
        crops = [view(trained.config, case) for case in some]
        found: dict[int, Prediction] = {}
        for size in dict.fromkeys(crop.size for crop in crops):
            places = [place for place, crop in enumerate(crops) if crop.size == size]
            probabilities = _probabilities(
                trained, [some[place] for place in places], [crops[place] for place in places], how
            )
            for place, probability in zip(places, probabilities, strict=True):
                found[place] = mask_in(crops[place], probability, some[place].shape)
        yield from (found[place] for place in range(len(some)))


@torch.inference_mode()
def _probabilities(
    trained: Trained, cases: Sequence[Case], crops: Sequence[Crop], how: How
) -> NDArray[np.float32]:
    """(N, S, S): the finest output; with `tta` the mean over the four mirrored views."""
    images = [
        crop.image(case.slice_hu, case.window)[None]
        for case, crop in zip(cases, crops, strict=True)
    ]
    batch = torch.from_numpy(np.stack(images)).to(how.device, memory_format=torch.channels_last)
    flips = FLIPS if how.tta else FLIPS[:1]
    with torch.autocast(how.device.type, dtype=how.precision, enabled=how.precision is not None):
        views = [flipped(trained.model(flipped(batch, *flip))[-1], *flip) for flip in flips]
    mean = sum_of([torch.sigmoid(each.float()) for each in views]) / len(flips)
    return mean[:, 0].cpu().numpy()
