"""What one stage's encoder makes of a case's crop, as one vector."""

from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lesions.prompts import Case
from trainables.pdnet.model import PDNet
from trainables.pdnet.nnunet import NNUNet
from trainables.pdnet.samples import evaluation_crop, slice_input
from trainables.pooled import Encoder, pooled
from trainables.system import How, Trained
from trainables.together import together


def encodings(trained: Trained, cases: Iterable[Case], how: How) -> Iterator[NDArray[np.float32]]:
    """One vector a case, in order."""
    config = trained.config
    model = cast("PDNet | NNUNet", trained.model)
    encoder = cast("Encoder", (model.network if isinstance(model, NNUNet) else model).encoder)
    for some in together(cases):
        inputs = [
            slice_input(config, case.slice_hu, case.window, crop, case.prompt.middle)
            for case in some for crop in [evaluation_crop(config, case)]
        ]  # fmt: skip
        seen = None if isinstance(model, NNUNet) else model.image_channels
        yield from pooled(encoder, [one[:seen] for one in inputs], how)
