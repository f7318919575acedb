"""After the network: a dense CRF moves the mask's border to the image's edges (section 3.2)."""

import numpy as np
from numpy.typing import NDArray

from lesions.masks.dense_crf import dense_crf
from trainables.coseg.config import CrfConfig

CERTAIN = 1e-3  # a probability that is 0 or 1 is moved by no neighbour


def refined(
    config: CrfConfig, probability: NDArray[np.float32], image: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The probability (S, S) of lesion after the CRF, from the network's and the view, 0…1."""
    if not config.on:
        return probability
    unary = np.clip(probability, CERTAIN, 1 - CERTAIN).astype(np.float64)
    levels = np.clip(image, 0, 1)  # smoothing and interpolation leave a last bit above
    return dense_crf(unary, levels, config).astype(np.float32)
