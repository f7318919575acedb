"""What the encoder makes of a box's view, as one vector."""

from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lesions.prompts import Case
from trainables.ahrnet.nnunet import NNUNet
from trainables.ahrnet.samples import view
from trainables.pooled import Encoder, pooled
from trainables.system import How, Trained


def encodings(trained: Trained, cases: Iterable[Case], how: How) -> Iterator[NDArray[np.float32]]:
    """One vector a case, in order; one at a time, as views differ in size."""
    network = trained.model.network if isinstance(trained.model, NNUNet) else trained.model
    encoder = cast("Encoder", network.encoder)
    for case in cases:
        image = view(trained.config, case).image(case.slice_hu, case.window)
        yield pooled(encoder, [image[None]], how)[0]
