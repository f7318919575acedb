"""What an encoder says of images as a whole: its coarsest map, averaged."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.system import How

Encoder = Callable[[Tensor], Any]


@torch.inference_mode()
def pooled(
    encoder: Encoder, images: Sequence[NDArray[np.float32]], how: How
) -> NDArray[np.float32]:
    """A vector (N, C) of each image.

    Args:
        encoder: gives maps, from fine to coarse.
        images: N of (channels, S, S), of one size.
        how: device and precision.
    """
    batch = torch.from_numpy(np.stack(images)).to(how.device, memory_format=torch.channels_last)
    with torch.autocast(how.device.type, dtype=how.precision, enabled=how.precision is not None):
        coarsest: Tensor = encoder(batch)[-1]
    return np.asarray(coarsest.float().mean(dim=(2, 3)).cpu().numpy())
